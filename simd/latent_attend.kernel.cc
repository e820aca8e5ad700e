#include "simd/attend_core.h"
#include "simd/kv_row.h"

namespace leyden::simd::LEYDEN_ISA {

KvLoadFn kv_load_bf16, kv_load_int8;

namespace {

/// Gathers the rows, decodes them and attends over the packed chunk.
LEYDEN_INLINE void latent_attend(const LatentAttendArgs& args, KvLoadFn* decode) {
  const int key_dim = args.kv_lora_rank + args.rope_dim;
  const int value_width = (args.kv_lora_rank + kPanel - 1) / kPanel * kPanel;
  auto* keys = reinterpret_cast<float*>(args.scratch);
  float* values = keys + std::ptrdiff_t{kKeyChunk} * key_dim;
  float* scores = values + std::ptrdiff_t{kKeyChunk} * value_width;
  float* decoded = scores + std::ptrdiff_t{kScoreRows} * kKeyChunk;
  const int decoded_stride = (key_dim + 15) / 16 * 16;
  for (int first = 0; first < args.n_keys; first += 16) {
    const int n = args.n_keys - first < 16 ? args.n_keys - first : 16;
    const float* row[16];
    for (int i = 0; i < n; ++i) {
      row[i] = reinterpret_cast<const float*>(args.rows[first + i]);
      if (decode != nullptr) {
        float* to = decoded + i * decoded_stride;
        decode(args.rows[first + i], args.kv_lora_rank, args.rope_dim, to);
        row[i] = to;
      }
      pack_value(row[i], args.kv_lora_rank, first + i, args.n_keys, values);
    }
    pack_keys(row, n, first, key_dim, keys);
  }
  attend_packed({keys, values, args.n_keys, key_dim, args.kv_lora_rank}, args.n_queries, args.query,
                args.query_stride, args.n_visible, args.partial, scores);
}

}  // namespace

void latent_attend_f32(const LatentAttendArgs& args) noexcept { latent_attend(args, nullptr); }
void latent_attend_bf16(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_bf16);
}
void latent_attend_int8(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_int8);
}

}  // namespace leyden::simd::LEYDEN_ISA
