#include "src/model/cost.h"

#include <gtest/gtest.h>

#include "formats/recipe_file.h"
#include "src/model/synthetic.h"

namespace leyden::model {
namespace {

/// V3.2's first layers, from shapes alone.
struct Shapes {
  formats::ModelConfig config = synthetic_config("v3.2", 1, 1);
  TensorTable table;
  ModelWeights weights;
  KvCache cache{config, {}};

  Shapes() {
    for (const auto& spec : synthetic_specs(config, formats::load_recipe("int8"))) {
      table[spec.name] = tensor_at(spec, nullptr);
    }
    weights = bind_weights(config, table, "shapes");
  }
  TokenCost decode(bool sparse, std::int64_t depth) const {
    return decode_cost(config, weights, cache, sparse, depth);
  }
  double prefill_macs(bool sparse, std::int64_t depth, int n) const {
    return prefill_cost(config, weights, sparse, depth, n).weight_macs;
  }
};

TEST(TokenCost, AnIndexerIsAskedOnlyWhereThereIsAChoice) {
  const Shapes shapes;
  const std::int64_t k = shapes.config.index_topk;
  double bytes = 0, macs = 0;
  for (const LayerWeights& w : shapes.weights.layers) {
    for (const PlacedMatrix* m : {&w.indexer->q_b, &w.indexer->head_weights}) {
      bytes += static_cast<double>(quant::matrix_bytes(m->format, m->rows, m->cols));
      macs += static_cast<double>(m->rows) * static_cast<double>(m->cols);
    }
  }
  const TokenCost before = shapes.decode(true, k - 1), after = shapes.decode(true, k);
  EXPECT_DOUBLE_EQ(after.weight_bytes - before.weight_bytes, bytes);
  EXPECT_DOUBLE_EQ(after.weight_macs - before.weight_macs, macs);
  EXPECT_DOUBLE_EQ(shapes.decode(false, k).weight_bytes, before.weight_bytes);

  const double dense = shapes.prefill_macs(false, 10 * k, 512);
  EXPECT_DOUBLE_EQ(shapes.prefill_macs(true, 0, 512), dense);
  EXPECT_DOUBLE_EQ(shapes.prefill_macs(true, k - 256, 512) - dense, macs / 2);
  EXPECT_DOUBLE_EQ(shapes.prefill_macs(true, k, 512) - dense, macs);
}

}  // namespace
}  // namespace leyden::model
