#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "formats/container_reader.h"
#include "src/model/load_meter.h"
#include "src/model/loaded_model.h"
#include "src/model/tensor_check.h"

namespace leyden::model {
namespace {

/// Bytes one thread reads at a time: enough for the disk, little enough to share the work evenly.
constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;

struct Piece {
  const formats::StoredTensor* tensor;
  Segment segment;
};

std::unique_ptr<LoadedModel> describe(const formats::ContainerReader& container) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = container.name();
  loaded->config = container.config();
  loaded->recipe = container.recipe();
  loaded->fingerprint = container.fingerprint();
  adopt_companions(*loaded, [&](std::string_view name) { return container.blob(name); });
  return loaded;
}

void check_levels(const LoadedModel& loaded) {
  for (const auto& [name, tensor] : loaded.tensors) check_levels(tensor, loaded.source);
}

}  // namespace

std::unique_ptr<LoadedModel> load_container(const formats::ContainerReader& container,
                                            WeightMemory memory, runtime::ThreadTeam& team,
                                            const Progress& progress) {
  auto loaded = describe(container);
  allocate_tensors(*loaded, checked_tensors(container), std::move(memory));
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);

  std::vector<Piece> pieces;
  std::uint64_t total = 0;
  for (const formats::StoredTensor& tensor : container.tensors()) {
    for (Segment rest : segments(loaded->tensors.at(tensor.spec.name))) {
      total += rest.bytes;
      while (rest.bytes > 0) {
        Segment next = rest;
        next.bytes = std::min(kPieceBytes, rest.bytes);
        pieces.push_back({&tensor, next});
        rest.from += next.bytes;
        rest.to += next.bytes;
        rest.bytes -= next.bytes;
      }
    }
  }
  LoadMeter meter(total, progress);
  team.run(
      static_cast<int>(pieces.size()),
      [&](int i, int) {
        const auto& [tensor, segment] = pieces[static_cast<std::size_t>(i)];
        meter.attempt(segment.bytes, [&] {
          container.read(*tensor, segment.from, {segment.to, segment.bytes});
        });
      },
      [&](int i) { return pieces[static_cast<std::size_t>(i)].segment.node; });
  check_levels(*loaded);
  return loaded;
}

std::unique_ptr<LoadedModel> map_container(const formats::ContainerReader& container, bool lock) {
  auto loaded = describe(container);
  loaded->mapping.emplace(container.map());
  const std::span<const std::byte> bytes = loaded->mapping->bytes();
  if (lock && mlock(bytes.data(), bytes.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "mlock of " + container.name());
  }
  for (const formats::StoredTensor& tensor : container.tensors()) {
    loaded->tensors[tensor.spec.name] = tensor_at(tensor.spec, bytes.data() + tensor.offset);
  }
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);
  check_levels(*loaded);
  return loaded;
}

}  // namespace leyden::model
