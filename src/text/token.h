#pragma once

#include <cstdint>

namespace leyden::text {

/// A token's number: the row of the embedding and the column of the logits.
using TokenId = std::int32_t;

}  // namespace leyden::text
