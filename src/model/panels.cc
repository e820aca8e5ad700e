#include "src/model/panels.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

constexpr int kBlock = simd::kBlock;
constexpr int kGroups = simd::kGroupsPerBlock;

constexpr std::size_t kFloatCell = kBlock * sizeof(float);
constexpr std::size_t kBf16Cell = kBlock * sizeof(std::uint16_t);
/// q, two starts per group, a scale.
constexpr std::size_t kIntegerCell = kBlock + 2 * kGroups * sizeof(std::int32_t) + sizeof(float);

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + simd::kLine - 1) / simd::kLine * simd::kLine;
}

std::size_t cell_bytes(ActivationNeeds needs) {
  return (needs.floats ? kFloatCell : 0) + (needs.bf16 ? kBf16Cell : 0) +
         (needs.integers ? kIntegerCell : 0);
}

}  // namespace

std::size_t Panels::row_bytes(int cols, ActivationNeeds needs) {
  return index(blocks_of(cols)) * cell_bytes(needs);
}

std::int64_t Panels::Place::cells() const { return std::int64_t{width} * blocks_of(cols); }

Panels::Panels(const runtime::Crew& crew, int max_rows, std::int64_t max_cells,
               ActivationNeeds needs)
    : needs_(needs),
      // Every row may be a group of its own, and every panel starts on a line.
      memory_(crew, index(max_cells) * cell_bytes(needs) + index(max_rows) * simd::kLine) {
  const std::size_t rows = index(max_rows);
  panels_.resize(index(crew.n_nodes()));
  for (auto& panels : panels_) panels.reserve(rows);
  places_.reserve(rows);
  panel_of_row_.reserve(rows);
  first_of_group_.reserve(rows + 1);
}

void Panels::reset(std::span<const Group> groups) {
  places_.clear();
  panel_of_row_.clear();
  first_of_group_.clear();
  int row = 0;
  std::size_t end = 0;
  for (const Group& group : groups) {
    first_of_group_.push_back(static_cast<int>(places_.size()));
    for (int done = 0; done < group.n_rows; done += simd::kPanelTokens) {
      const int width = std::min(group.n_rows - done, simd::kPanelTokens);
      panel_of_row_.insert(panel_of_row_.end(), index(width), static_cast<int>(places_.size()));
      const Place& place = places_.emplace_back(Place{row, width, group.cols, end});
      row += width;
      end += whole_lines(index(place.cells()) * cell_bytes(needs_));
    }
  }
  first_of_group_.push_back(static_cast<int>(places_.size()));
  assert(end <= memory_.bytes());
  memory_.begin(end);
  for (int node = 0; node < memory_.n_nodes(); ++node) {
    std::vector<simd::ActivationPanel>& panels = panels_[index(node)];
    panels.clear();
    for (const Place& place : places_) {
      const simd::PanelRow f = fields(const_cast<std::byte*>(memory_.on(node)), place);
      panels.push_back({f.x, f.bf16, f.q, f.scale, f.start_int4, f.start_int8, place.width});
    }
  }
}

/// Where the fields of a panel's first cell lie in a node's buffer: floats, bf16, then all that
/// integer products read.
simd::PanelRow Panels::fields(std::byte* buffer, const Place& place) const {
  const std::size_t cells = index(place.cells());
  std::byte* next = buffer + place.offset;
  const auto take = [&](std::size_t bytes) { return std::exchange(next, next + cells * bytes); };
  simd::PanelRow f;
  f.width = place.width;
  if (needs_.floats) f.x = reinterpret_cast<float*>(take(kFloatCell));
  if (needs_.bf16) f.bf16 = reinterpret_cast<std::uint16_t*>(take(kBf16Cell));
  if (needs_.integers) {
    f.q = reinterpret_cast<std::int8_t*>(take(kBlock));
    f.start_int4 = reinterpret_cast<std::int32_t*>(take(kGroups * sizeof(std::int32_t)));
    f.start_int8 = reinterpret_cast<std::int32_t*>(take(kGroups * sizeof(std::int32_t)));
    f.scale = reinterpret_cast<float*>(take(sizeof(float)));
  }
  return f;
}

PanelSpan Panels::on(int node, ActivationNeeds needs, int group) const {
  const std::size_t first = index(first_of_group_[index(group)]);
  const std::size_t end = index(first_of_group_[index(group) + 1]);
  int from = node;
  for (std::size_t panel = first; from != 0 && panel < end; ++panel) {
    const Place& place = places_[panel];
    std::size_t at = place.offset;
    const auto pass = [&](bool is_there, bool is_needed, std::size_t cell_bytes) {
      const std::size_t bytes = is_there ? index(place.cells()) * cell_bytes : 0;
      if (is_needed && from != 0) from = memory_.source(node, at, bytes);
      at += bytes;
    };
    pass(needs_.floats, needs.floats, kFloatCell);
    pass(needs_.bf16, needs.bf16, kBf16Cell);
    pass(needs_.integers, needs.integers, kIntegerCell);
  }
  return std::span(panels_[index(from)]).subspan(first, end - first);
}

const Panels::Place& Panels::place_of(int row) const {
  return places_[index(panel_of_row_[index(row)])];
}

simd::PanelRow Panels::at(int row, int block) const {
  const Place& place = place_of(row);
  simd::PanelRow to = fields(memory_.data(), place);
  const std::ptrdiff_t cell = std::ptrdiff_t{block} * to.width + row - place.first_row;
  if (needs_.floats) to.x += cell * kBlock;
  if (needs_.bf16) to.bf16 += cell * kBlock;
  if (needs_.integers) {
    to.q += cell * kBlock;
    to.scale += cell;
    to.start_int4 += cell * kGroups;
    to.start_int8 += cell * kGroups;
  }
  return to;
}

void Panels::set_row(int row, const float* x) const {
  simd::kernels().quantize_row(x, place_of(row).cols, at(row, 0));
}

void Panels::set_block(int row, int block, const float* x) const {
  const int left = place_of(row).cols - block * kBlock;
  simd::kernels().quantize_row(x, std::min(kBlock, left), at(row, block));
}

void Panels::copy_row(int row, const Panels& from, int from_row) const {
  assert(blocks_of(place_of(row).cols) == blocks_of(from.place_of(from_row).cols));
  for (int block = 0; block < blocks_of(place_of(row).cols); ++block) {
    const simd::PanelRow to = at(row, block);
    const simd::PanelRow source = from.at(from_row, block);
    if (needs_.floats) std::memcpy(to.x, source.x, kFloatCell);
    if (needs_.bf16) std::memcpy(to.bf16, source.bf16, kBf16Cell);
    if (needs_.integers) {
      std::memcpy(to.q, source.q, kBlock);
      *to.scale = *source.scale;
      std::memcpy(to.start_int4, source.start_int4, kGroups * sizeof(std::int32_t));
      std::memcpy(to.start_int8, source.start_int8, kGroups * sizeof(std::int32_t));
    }
  }
}

}  // namespace leyden::model
