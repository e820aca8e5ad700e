#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "formats/container_writer.h"
#include "formats/json.h"
#include "tests/formats/temp_directory.h"

/// A small container that has a tensor of every kind, and ways of writing it.
namespace leyden::formats {

namespace fs = std::filesystem;
using leyden::fixtures::TempDirectory;
using quant::Layout;
using quant::TensorSpec;
using quant::WeightFormat;

inline const std::vector<TensorSpec> kSpecs{
    {"embed", Layout::kRows, WeightFormat::kBf16, 1, 5, 7},
    {"layers.0.experts.gate", Layout::kTiles, WeightFormat::kInt4, 9, 512, 1000},
    {"layers.0.attn_norm", Layout::kRows, WeightFormat::kF32, 1, 1, 48},
    {"head", Layout::kTiles, WeightFormat::kInt8, 1, 2048, 1030},
};

inline std::vector<Blob> blobs() {
  return {{"config.json", read_text_file(LEYDEN_TEST_DATA "/formats/configs/deepseek-v3.2.json")},
          {"tokenizer.json", "{}"},
          {"empty", ""}};
}

inline std::vector<std::byte> contents(std::size_t tensor) {
  std::vector<std::byte> bytes(kSpecs[tensor].bytes());
  std::mt19937 random(static_cast<unsigned>(tensor));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// Writes all tensors in pieces of `piece` bytes from several threads, last pieces first.
inline std::string write_container(const fs::path& path, std::size_t piece,
                                   const std::string& recipe = "int4") {
  ContainerWriter writer(path, recipe, blobs(), kSpecs);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    for (std::size_t share = 0; share < 2; ++share) {
      threads.emplace_back([&writer, t, share, piece] {
        const std::vector<std::byte> bytes = contents(t);
        const std::size_t n_pieces = (bytes.size() + piece - 1) / piece;
        for (std::size_t i = n_pieces; i-- > 0;) {
          if (i % 2 != share) continue;
          const std::size_t offset = i * piece;
          writer.write(t, offset,
                       std::span(bytes).subspan(offset, std::min(piece, bytes.size() - offset)));
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  return writer.finish();
}

class ContainerTest : public ::testing::Test {
 protected:
  ContainerTest() : path_(dir_.path() / "model.leyden") {}

  TempDirectory dir_;
  fs::path path_;
};

inline constexpr std::size_t kPiece = 200'000;

/// Writes the pieces of all tensors that `wanted` chooses by their number, or finds them written.
/// Returns how many were found.
template <typename Wanted>
std::size_t write_pieces(ContainerWriter& writer, const Wanted& wanted) {
  std::size_t n_found = 0, number = 0;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    const std::vector<std::byte> bytes = contents(t);
    for (std::size_t offset = 0; offset < bytes.size(); offset += kPiece, ++number) {
      if (!wanted(number)) continue;
      const auto piece = std::span(bytes).subspan(offset, std::min(kPiece, bytes.size() - offset));
      std::vector<std::byte> found(piece.size());
      const bool is_there = std::any_of(
          writer.recovered().begin(), writer.recovered().end(), [&](const WrittenPiece& w) {
            return w.tensor == t && w.offset == offset && writer.adopt(w, found, number);
          });
      if (is_there) {
        EXPECT_TRUE(std::equal(found.begin(), found.end(), piece.begin()));
        ++n_found;
      } else {
        writer.write(t, offset, piece, number);
      }
    }
  }
  return n_found;
}

inline constexpr auto kAll = [](std::size_t) { return true; };

}  // namespace leyden::formats
