// Any bytes as the journal of an interrupted writer. The first byte says whether the header is put
// right; an entry of 64 bytes that begins with a zero gets the checksum that suits it.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/write_journal.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

constexpr std::size_t kEntry = 64, kPiece = 56;  // the checksum of a piece follows it
const std::vector<formats::Ingredient> kIngredients = {{"recipe", "fuzz"}};

/// An empty journal: its header.
std::string header() {
  const fuzz::MemoryFile memory("");
  { formats::WriteJournal(memory.path(), kIngredients, formats::Unfinished::kKeep); }
  return formats::read_text_file(memory.path());
}

void seal_entries(std::string& entries) {
  for (std::size_t at = 0; at + kEntry <= entries.size(); at += kEntry) {
    if (entries[at] != 0) continue;
    const std::uint64_t check = formats::checksum(std::string_view(entries).substr(at, kPiece)).low;
    std::memcpy(&entries[at + kPiece], &check, sizeof check);
  }
}

bool same_piece(const formats::WrittenPiece& a, const formats::WrittenPiece& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace

FUZZ_TARGET(journal) {
  static_assert(sizeof(formats::WrittenPiece) == kPiece);
  if (size < 1) return 0;
  static const std::string good_header = header();
  std::string entries(fuzz::text_of(data + 1, size - 1));
  seal_entries(entries);
  const fuzz::MemoryFile memory(data[0] % 2 == 0 ? entries : good_header + entries);

  std::vector<formats::WrittenPiece> before;
  const formats::WrittenPiece piece = {1, 2, 3, 4, 5, {}};
  try {
    formats::WriteJournal journal(memory.path(), kIngredients, formats::Unfinished::kKeep);
    before = journal.recovered();
    fuzz::must(before.size() * kEntry <= entries.size(), "an entry takes its room");
    journal.add(piece);
  } catch (const formats::WriteError&) {
    return 0;  // of other ingredients
  }
  const formats::WriteJournal journal(memory.path(), kIngredients, formats::Unfinished::kKeep);
  const auto& after = journal.recovered();
  fuzz::must(after.size() == before.size() + 1 && same_piece(after.back(), piece),
             "what is added is found, whatever lay behind the last good entry");
  fuzz::must(std::equal(before.begin(), before.end(), after.begin(), same_piece),
             "what was found is found again");
  return 0;
}
