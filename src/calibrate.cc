#include "src/calibrate.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "simd/bf16.h"
#include "src/engine_impl.h"
#include "src/model/linear.h"
#include "src/session.h"

namespace leyden {
namespace {

/// Sums of squares of one matrix' columns.
struct Sums {
  std::string tensor;
  std::int64_t matrix = 0, cols = 0;
  bool integers = false;        // which form of the activations the matrix reads
  std::vector<double> squares;  // [cols], empty until something is seen
  std::int64_t tokens = 0;
  std::mutex mutex;
};

bool is_recorded(const quant::TensorSpec& spec) {
  const auto has = [&](const char* part) { return spec.name.find(part) != std::string::npos; };
  return spec.layout == quant::Layout::kTiles && recorded_name(spec.name) == spec.name &&
         !has(".attn.k_b") && !has(".attn.v_b");
}

class Recorder final : public model::ProductObserver {
 public:
  explicit Recorder(const model::TensorTable& tensors) {
    for (const auto& [name, tensor] : tensors) {
      const quant::TensorSpec& spec = tensor.spec;
      if (!is_recorded(spec)) continue;
      const model::PlacedStack stack = tensor.stack();
      for (std::int64_t m = 0; m < spec.count; ++m) {
        Sums& sums = by_weights_[stack[m].tile(0)];
        sums.tensor = name;
        sums.matrix = m;
        sums.cols = spec.cols;
      }
    }
    model::product_observer = this;
  }
  ~Recorder() override { model::product_observer = nullptr; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void see(const model::PlacedMatrix& w, model::PanelSpan in) override {
    const auto found = by_weights_.find(w.tile(0));
    if (found == by_weights_.end()) return;
    Sums& sums = found->second;
    const std::lock_guard lock(sums.mutex);
    sums.squares.resize(static_cast<std::size_t>(sums.cols));
    for (const simd::ActivationPanel& panel : in) {
      for (int token = 0; token < panel.width; ++token) add_token(panel, needs_of(w), token, sums);
    }
  }

  Calibration result() const {
    std::map<std::string, ColumnEnergy> tensors;
    for (const auto& [weights, sums] : by_weights_) {
      ColumnEnergy& energy = tensors[sums.tensor];
      const auto matrix = static_cast<std::size_t>(sums.matrix);
      energy.cols = sums.cols;
      if (energy.tokens.size() <= matrix) energy.tokens.resize(matrix + 1);
      energy.tokens[matrix] = sums.tokens;
    }
    for (auto& [name, energy] : tensors) {
      energy.count = static_cast<std::int64_t>(energy.tokens.size());
      energy.mean_square.resize(static_cast<std::size_t>(energy.count * energy.cols));
    }
    for (const auto& [weights, sums] : by_weights_) {
      float* const to = tensors[sums.tensor].mean_square.data() + sums.matrix * sums.cols;
      for (std::size_t c = 0; c < sums.squares.size(); ++c) {
        to[c] = static_cast<float>(sums.squares[c] / static_cast<double>(sums.tokens));
      }
    }
    return Calibration(std::move(tensors));
  }

 private:
  static void add_token(const simd::ActivationPanel& panel, model::ActivationNeeds read, int token,
                        Sums& sums) {
    ++sums.tokens;
    for (std::int64_t c = 0; c < sums.cols; ++c) {
      const std::int64_t cell = c / simd::kBlock * panel.width + token;
      const std::int64_t at = cell * simd::kBlock + c % simd::kBlock;
      const double x = read.integers ? double{panel.scale[cell]} * panel.q[at]
                       : read.bf16   ? simd::scalar::from_bf16(panel.bf16[at])
                                     : panel.x[at];
      sums.squares[static_cast<std::size_t>(c)] += x * x;
    }
  }

  std::map<const std::byte*, Sums> by_weights_;
};

}  // namespace

Calibration calibrate(const std::shared_ptr<const Engine>& engine, const Documents& documents,
                      const EvaluationProgress& progress) {
  require_room(engine->options().context, documents);
  Session session(engine);
  Recorder recorder(engine->impl().model->tensors);
  const auto vocab = static_cast<std::size_t>(engine->vocab_size());
  std::vector<float> logits;
  std::uint64_t done = 0, total = 0;
  for (const auto& document : documents) total += document.size();
  for (const auto& document : documents) {
    session.truncate(0);
    for (std::size_t first = 0; first < document.size(); first += kHeldRows) {
      const std::size_t n = std::min(kHeldRows, document.size() - first);
      logits.resize(n * vocab);  // nobody reads them, but the head's activations are to be seen too
      session.prefill_traced(std::span(document).subspan(first, n), logits, nullptr);
      if (progress) progress(done += n, total);
    }
  }
  return recorder.result();
}

}  // namespace leyden
