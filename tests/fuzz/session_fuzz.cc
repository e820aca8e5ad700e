// Any bytes as a kept session whose checksums of header and index fit, or as such an index.
#include "formats/json.h"
#include "src/session_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seal.h"

using namespace leyden;

namespace {

constexpr formats::FileKind kSession{{'\x89', 'L', 'E', 'Y', 'S', 'E', 'S', '\n'}, 1, "session"};
constexpr std::int32_t kCapacity = 1000;

const formats::ModelConfig& config() {
  static const formats::ModelConfig tiny = formats::parse_model_config(
      formats::read_text_file(LEYDEN_TEST_DATA "/oracle/checkpoints/v32-tiny-bf16/config.json"),
      "config.json");
  return tiny;
}

void read(const std::string& bytes) {
  static runtime::ThreadTeam team(1);
  const fuzz::MemoryFile file(bytes);
  fuzz::accepts([&] {
    const SessionState state = read_session(file.path(), "model", {config(), {}, kCapacity}, team);
    fuzz::must(state.tokens.size() <= kCapacity, "a session has room for its tokens");
  });
}

}  // namespace

FUZZ_TARGET(session) {
  std::string input(fuzz::text_of(data, size));
  if (input.starts_with('{')) input.insert(0, formats::kFileHeaderBytes, '\0');
  read(input);
  if (input.size() < formats::kFileHeaderBytes) return 0;
  const std::size_t json = input.find('{', formats::kFileHeaderBytes);
  fuzz::seal(kSession, input, json == input.npos ? formats::kFileHeaderBytes : json);
  read(input);
  return 0;
}
