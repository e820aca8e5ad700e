#include "src/model/panels.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace leyden::model {
namespace {

constexpr int kBlock = simd::kBlock;
constexpr int kGroups = simd::kGroupsPerBlock;

}  // namespace

Panels::Panels(int max_rows, std::int64_t max_cells, ActivationNeeds needs) : needs_(needs) {
  const auto cells = static_cast<std::size_t>(max_cells);
  if (needs.floats) x_ = runtime::Array<float>(cells * kBlock);
  if (needs.integers) {
    q_ = runtime::Array<std::int8_t>(cells * kBlock);
    scale_ = runtime::Array<float>(cells);
    start_int4_ = runtime::Array<std::int32_t>(cells * kGroups);
    start_int8_ = runtime::Array<std::int32_t>(cells * kGroups);
  }
  // Every row may be a group of its own.
  const auto rows = static_cast<std::size_t>(max_rows);
  panels_.reserve(rows);
  places_.reserve(rows);
  panel_of_row_.reserve(rows);
  first_of_group_.reserve(rows + 1);
}

void Panels::reset(std::span<const Group> groups) {
  panels_.clear();
  places_.clear();
  panel_of_row_.clear();
  first_of_group_.clear();
  int row = 0;
  std::int64_t cell = 0;
  for (const Group& group : groups) {
    first_of_group_.push_back(static_cast<int>(panels_.size()));
    for (int done = 0; done < group.n_rows; done += simd::kPanelTokens) {
      simd::ActivationPanel panel;
      panel.width = std::min(group.n_rows - done, simd::kPanelTokens);
      if (needs_.floats) panel.x = x_.data() + cell * kBlock;
      if (needs_.integers) {
        panel.q = q_.data() + cell * kBlock;
        panel.scale = scale_.data() + cell;
        panel.start_int4 = start_int4_.data() + cell * kGroups;
        panel.start_int8 = start_int8_.data() + cell * kGroups;
      }
      panel_of_row_.insert(panel_of_row_.end(), static_cast<std::size_t>(panel.width),
                           static_cast<int>(panels_.size()));
      places_.push_back({row, group.cols, cell});
      panels_.push_back(panel);
      row += panel.width;
      cell += std::int64_t{panel.width} * blocks_of(group.cols);
    }
  }
  first_of_group_.push_back(static_cast<int>(panels_.size()));
  assert(cell * kBlock <= static_cast<std::int64_t>(needs_.floats ? x_.size() : q_.size()));
}

std::span<const simd::ActivationPanel> Panels::panels(int group) const {
  const auto g = static_cast<std::size_t>(group);
  const auto first = static_cast<std::size_t>(first_of_group_[g]);
  return {panels_.data() + first, static_cast<std::size_t>(first_of_group_[g + 1]) - first};
}

int Panels::cell_blocks(int row) const {
  const auto panel = static_cast<std::size_t>(panel_of_row_[static_cast<std::size_t>(row)]);
  return blocks_of(places_[panel].cols);
}

simd::PanelRow Panels::at(int row, int block) const {
  const auto index = static_cast<std::size_t>(panel_of_row_[static_cast<std::size_t>(row)]);
  const Place& place = places_[index];
  simd::PanelRow to;
  to.width = panels_[index].width;
  const std::int64_t cell =
      place.first_cell + std::int64_t{block} * to.width + row - place.first_row;
  if (needs_.floats) to.x = x_.data() + cell * kBlock;
  if (needs_.integers) {
    to.q = q_.data() + cell * kBlock;
    to.scale = scale_.data() + cell;
    to.start_int4 = start_int4_.data() + cell * kGroups;
    to.start_int8 = start_int8_.data() + cell * kGroups;
  }
  return to;
}

void Panels::set_row(int row, const float* x) const {
  const auto panel = static_cast<std::size_t>(panel_of_row_[static_cast<std::size_t>(row)]);
  simd::kernels().quantize_row(x, places_[panel].cols, at(row, 0));
}

void Panels::set_block(int row, int block, const float* x) const {
  const auto panel = static_cast<std::size_t>(panel_of_row_[static_cast<std::size_t>(row)]);
  const int left = places_[panel].cols - block * kBlock;
  simd::kernels().quantize_row(x, std::min(kBlock, left), at(row, block));
}

void Panels::copy_row(int row, const Panels& from, int from_row) const {
  assert(cell_blocks(row) == from.cell_blocks(from_row));
  for (int block = 0; block < cell_blocks(row); ++block) {
    const simd::PanelRow to = at(row, block);
    const simd::PanelRow source = from.at(from_row, block);
    if (needs_.floats) std::memcpy(to.x, source.x, kBlock * sizeof(float));
    if (needs_.integers) {
      std::memcpy(to.q, source.q, kBlock);
      *to.scale = *source.scale;
      std::memcpy(to.start_int4, source.start_int4, kGroups * sizeof(std::int32_t));
      std::memcpy(to.start_int8, source.start_int8, kGroups * sizeof(std::int32_t));
    }
  }
}

}  // namespace leyden::model
