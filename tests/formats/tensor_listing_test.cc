#include "tests/formats/tensor_listing.h"

#include <gtest/gtest.h>

#include <numeric>

namespace leyden::fixtures {
namespace {

struct Published {
  std::string model;
  std::size_t n_tensors;
  std::int64_t n_parameters;  // FP8 scales included
};

TEST(TensorListingTest, CountsAgreeWithThePublishedCheckpoints) {
  for (const auto& [model, n_tensors, n_parameters] :
       {Published{"deepseek-v2-lite", 5291, 15'706'484'224},
        Published{"deepseek-v3.1", 91'991, 684'531'386'000},
        Published{"deepseek-v3.2", 92'425, 685'396'921'376},
        Published{"glm-5.1", 59'870, 753'864'139'008},
        Published{"kimi-k2-instruct", 139'644, 1'026'470'731'056}}) {
    const auto tensors = tensor_listing(model);
    EXPECT_EQ(tensors.size(), n_tensors) << model;
    std::int64_t sum = 0;
    for (const ListedTensor& tensor : tensors) {
      sum += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                             std::multiplies<>());
    }
    EXPECT_EQ(sum, n_parameters) << model;
  }
}

}  // namespace
}  // namespace leyden::fixtures
