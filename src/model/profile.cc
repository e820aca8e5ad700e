#include "src/model/profile.h"

#include "formats/named.h"

namespace leyden::model {
namespace {

constexpr std::array<formats::Named<Part>, 6> kPartNames = {{
    {"attention", Part::kAttention},
    {"indexer", Part::kIndexer},
    {"experts", Part::kExperts},
    {"dense", Part::kDense},
    {"head", Part::kHead},
    {"rest", Part::kRest},
}};
constexpr std::array<formats::Named<Step>, 6> kStepNames = {{
    {"products", Step::kProducts},
    {"attend", Step::kAttend},
    {"select", Step::kSelect},
    {"normalize", Step::kNormalize},
    {"route", Step::kRoute},
    {"other", Step::kOther},
}};

}  // namespace

std::string_view name(Part part) { return formats::name_in(kPartNames, part); }

std::string_view name(Step step) { return formats::name_in(kStepNames, step); }

}  // namespace leyden::model
