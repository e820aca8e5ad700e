#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/numa_plan.h"
#include "src/runtime/crew.h"
#include "src/runtime/topology.h"

namespace leyden::tools {

/// Measures how fast every node's threads read every node's memory, printed as a table if there are
/// several, and as "node_reading" in `document`. Returns the best local and the worst remote rate;
/// 0 for what isn't there.
NodeRates report_node_rates(const runtime::Topology& machine, const runtime::CrewOptions& threads,
                            std::FILE* out, nlohmann::json& document);

/// Measures what one thread and all of them read and multiply at most; "limits" in `document`.
void report_limits(const runtime::Topology& machine, const runtime::CrewOptions& options,
                   std::FILE* out, nlohmann::json& document);

}  // namespace leyden::tools
