#include <algorithm>

#include "formats/container_reader.h"
#include "src/model/load_meter.h"
#include "src/model/loaded_model.h"

namespace leyden::model {
namespace {

/// Bytes one thread reads at a time: enough for the disk, little enough to share the work evenly.
constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;

struct Piece {
  const formats::StoredTensor* tensor;
  std::uint64_t offset;  // in the tensor
  std::uint64_t bytes;
  std::byte* to;
};

}  // namespace

std::unique_ptr<LoadedModel> load_container(const formats::ContainerReader& container, bool mapped,
                                            runtime::HugePages huge_pages,
                                            runtime::ThreadTeam& team, const Progress& progress) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = container.name();
  loaded->config = container.config();
  loaded->recipe = container.recipe();
  loaded->fingerprint = container.fingerprint();
  adopt_companions(*loaded, [&](std::string_view name) { return container.blob(name); });

  if (mapped) {
    loaded->mapping.emplace(container.map());
    for (const formats::StoredTensor& tensor : container.tensors()) {
      loaded->tensors[tensor.spec.name] = {tensor.spec,
                                           loaded->mapping->bytes().data() + tensor.offset};
    }
    loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);
    return loaded;
  }

  MemoryLayout layout;
  std::vector<std::size_t> offsets;
  for (const formats::StoredTensor& tensor : container.tensors()) {
    offsets.push_back(layout.place(tensor.bytes));
  }
  loaded->memory = runtime::Memory(layout.total(), huge_pages);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const formats::StoredTensor& tensor = container.tensors()[i];
    std::byte* const to = loaded->memory.data() + offsets[i];
    loaded->tensors[tensor.spec.name] = {tensor.spec, to};
    for (std::uint64_t done = 0; done < tensor.bytes; done += kPieceBytes) {
      pieces.push_back({&tensor, done, std::min(kPieceBytes, tensor.bytes - done), to + done});
    }
  }
  // Names and shapes first: a container for another model should be refused before it is read.
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);

  LoadMeter meter(layout.total(), progress);
  team.run(static_cast<int>(pieces.size()), [&](int i, int) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    meter.attempt(piece.bytes, [&] {
      container.read(*piece.tensor, piece.offset, {piece.to, piece.bytes});
    });
  });
  return loaded;
}

}  // namespace leyden::model
