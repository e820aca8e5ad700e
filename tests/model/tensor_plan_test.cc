#include "src/model/tensor_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "formats/json.h"
#include "formats/model_config.h"
#include "tests/formats/tensor_listing.h"

namespace leyden::model {
namespace {

using formats::TensorType;

class ReleasedModel : public ::testing::TestWithParam<const char*> {
 protected:
  ReleasedModel() {
    const std::string path =
        std::string(LEYDEN_TEST_DATA) + "/formats/configs/" + GetParam() + ".json";
    config_ = formats::parse_model_config(formats::read_text_file(path), path);
    for (auto& tensor : leyden::fixtures::tensor_listing(GetParam())) {
      listed_.emplace(tensor.name, tensor);
    }
  }
  formats::ModelConfig config_;
  std::map<std::string, leyden::fixtures::ListedTensor> listed_;
};

bool holds_weights(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kBf16 || type == TensorType::kF16 ||
         type == TensorType::kF8E4m3;
}

std::vector<PlannedTensor> plan_everything(const formats::ModelConfig& config) {
  std::vector<PlannedTensor> plan = plan_tensors(config);
  for (PlannedTensor& planned : plan_mtp_tensors(config)) plan.push_back(std::move(planned));
  return plan;
}

TEST_P(ReleasedModel, HasEveryPlannedSourceInItsTypeAndShape) {
  for (const PlannedTensor& planned : plan_everything(config_)) {
    const bool one_source = planned.source.name_of(0) == planned.source.name;
    for (std::int64_t i = 0; i < (one_source ? 1 : planned.count); ++i) {
      const auto found = listed_.find(planned.source.name_of(i));
      ASSERT_NE(found, listed_.end()) << planned.source.name_of(i);
      EXPECT_TRUE(holds_weights(found->second.type)) << found->first;
      std::vector<std::int64_t> shape = {planned.source.rows, planned.source.cols};
      const bool is_vector = planned.layout == quant::Layout::kRows && planned.rows == 1;
      if (is_vector) shape = {planned.source.cols};
      EXPECT_EQ(found->second.shape, shape) << found->first;
    }
  }
}

TEST_P(ReleasedModel, HasNoTensorThatThePlanLeavesOutButScales) {
  std::set<std::string> planned_names;
  for (const PlannedTensor& planned : plan_everything(config_)) {
    for (std::int64_t i = 0; i < planned.count; ++i) {
      planned_names.insert(planned.source.name_of(i));
    }
  }
  for (const auto& [name, tensor] : listed_) {
    if (name.ends_with("_scale_inv")) continue;
    EXPECT_TRUE(planned_names.contains(name)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReleasedModel,
                         ::testing::Values("deepseek-v2-lite", "deepseek-v3.1", "deepseek-v3.2"),
                         [](const auto& param) {
                           std::string text = param.param;
                           for (char& c : text) c = c == '-' || c == '.' ? '_' : c;
                           return text;
                         });

TEST(TensorPlan, NamesAreUnique) {
  const std::string path = std::string(LEYDEN_TEST_DATA) + "/formats/configs/deepseek-v3.2.json";
  std::set<std::string> names;
  for (const PlannedTensor& planned :
       plan_everything(formats::parse_model_config(formats::read_text_file(path), path))) {
    EXPECT_TRUE(names.insert(planned.name).second) << planned.name;
  }
}

}  // namespace
}  // namespace leyden::model
