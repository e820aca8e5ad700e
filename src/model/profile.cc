#include "src/model/profile.h"

namespace leyden::model {

std::string_view name(Part part) {
  switch (part) {
    case Part::kAttention:
      return "attention";
    case Part::kIndexer:
      return "indexer";
    case Part::kExperts:
      return "experts";
    case Part::kDense:
      return "dense";
    case Part::kHead:
      return "head";
    case Part::kRest:
      return "rest";
  }
  return "?";
}

std::string_view name(Step step) {
  switch (step) {
    case Step::kProducts:
      return "products";
    case Step::kAttend:
      return "attend";
    case Step::kSelect:
      return "select";
    case Step::kNormalize:
      return "normalize";
    case Step::kRoute:
      return "route";
    case Step::kOther:
      return "other";
  }
  return "?";
}

}  // namespace leyden::model
