// Gives the program thousands of broken models: mutation_driver MODEL CASES [FIRST]
// Each must end in status 0 or 1, and 1 with a sentence that names the file; no signal, no hang, no
// leak, no partial output. Cases run in children, some to each, through the program's own door.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "formats/json.h"
#include "tests/mutation/broken_model.h"
#include "tools/program.h"

namespace {

namespace fs = std::filesystem;
using leyden::mutation::Model;
using leyden::mutation::Mutator;

constexpr int kCasesOfAChild = 25;
constexpr unsigned kSecondsOfACase = 120;

int run(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return leyden::tools::run_program(static_cast<int>(argv.size()), argv.data());
}

/// What is done with a broken model: mostly loaded and run, in different formats.
std::vector<std::string> command(int number, const fs::path& model, const fs::path& out) {
  const std::string path = model.string();
  const bool packed = path.ends_with(".leyden");
  switch (number % 5) {
    case 0:
      return {"leyden", "inspect", path, "--tensors", packed ? "--verify" : "--tensors"};
    case 1:
      if (packed) return {"leyden", "logits", "-m", path, "--tokens", "1,2,3", "--mmap", "-t", "1"};
      return {"leyden", "convert", "--in", path, "--out", out.string(), "-t", "1"};
    case 2:
      if (packed) break;
      return {"leyden", "logits", "-m", path, "--tokens", "1,2,3", "--weights", "f32", "-t", "1"};
    case 3:
      return {"leyden", "run", "-m", path, "-p", "Hi", "-n", "2", "-t", "2", "--context", "64"};
    default:
      break;
  }
  return {"leyden", "logits", "-m", path, "--tokens", "1,2,3", "--decode", "1", "-t", "1"};
}

[[noreturn]] void report(int number, const fs::path& directory, const std::string& what) {
  std::fprintf(stderr, "case %d: %s\n", number, what.c_str());
  std::fprintf(stderr, "(its files are in %s)\n", directory.c_str());
  std::fflush(stderr);
  std::_Exit(3);
}

void check_sentence(int number, const fs::path& directory, const std::string& said) {
  if (!said.starts_with("leyden: ")) report(number, directory, "it says '" + said + "'");
  if (said.find(directory.string()) == said.npos) {
    report(number, directory, "no file is named in: " + said);
  }
  for (const char* const foreign :
       {"vector::", "basic_string", "std::", "json.exception", "map::at"}) {
    if (said.find(foreign) != said.npos) report(number, directory, "no sentence of ours: " + said);
  }
}

void run_case(const Model& model, const fs::path& directory, int number) {
  for (const auto& entry : fs::directory_iterator(directory)) fs::remove_all(entry.path());
  const fs::path models = directory / "model", out = directory / "out.leyden";
  fs::create_directory(models);
  Mutator mutator(static_cast<std::uint64_t>(number));
  const fs::path path = model.write_broken(models, mutator);

  const fs::path said = directory / "said";
  const int terminal = ::dup(STDERR_FILENO);
  const int log = ::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::alarm(kSecondsOfACase);
  const int status = run(command(number, path, out));
  ::alarm(0);
  std::fflush(nullptr);
  ::dup2(terminal, STDERR_FILENO);
  for (const int descriptor : {terminal, log, nowhere}) ::close(descriptor);

  const std::string text = leyden::formats::read_text_file(said);
  if (status != 0 && status != 1) {
    report(number, directory, "status " + std::to_string(status) + ": " + text);
  }
  if (status == 1) {
    check_sentence(number, directory, text);
    if (fs::exists(out)) report(number, directory, "there is an output file after: " + text);
  }
  if (fs::exists(out.string() + ".partial")) report(number, directory, "a partial file is left");
}

/// Runs cases [first, end) in a child. False if it didn't end well.
bool run_child(const Model& model, const fs::path& directory, int first, int end) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int number = first; number < end; ++number) run_case(model, directory, number);
    std::exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) std::abort();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "signal %d (%s) in one of the cases %d to %d\n", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), first, end - 1);
  } else {
    std::fprintf(stderr, "status %d in one of the cases %d to %d\n", WEXITSTATUS(status), first,
                 end - 1);
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: mutation_driver MODEL CASES [FIRST]\n");
    return 2;
  }
  const Model model(argv[1]);
  const int n_cases = std::atoi(argv[2]);
  const int first_case = argc > 3 ? std::atoi(argv[3]) : 0;
  std::string place = (fs::temp_directory_path() / "leyden-mutation-XXXXXX").string();
  if (::mkdtemp(place.data()) == nullptr) std::abort();
  for (int done = 0; done < n_cases; done += kCasesOfAChild) {
    const int n = std::min(kCasesOfAChild, n_cases - done);
    if (!run_child(model, place, first_case + done, first_case + done + n)) return 1;
  }
  fs::remove_all(place);
  std::printf("%d broken models\n", n_cases);
}
