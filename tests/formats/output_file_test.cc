#include "formats/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "formats/json.h"
#include "tests/formats/temp_directory.h"
#include "tests/refuse_call.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::TempDirectory;
using ::testing::HasSubstr;

template <typename Action>
std::string write_error_of(const Action& action) {
  try {
    action();
  } catch (const WriteError& error) {
    return error.what();
  }
  return "";
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class OutputFileTest : public ::testing::Test {
 protected:
  std::size_t n_files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()));
  }

  TempDirectory dir_;
};

TEST_F(OutputFileTest, AppearsWholeAndOnlyOnCommit) {
  const fs::path path = dir_.path() / "out";
  OutputFile file(path, 8);
  file.write(6, bytes_of("yz"));
  file.write(0, bytes_of("abc"));
  EXPECT_FALSE(fs::exists(path));
  std::array<std::byte, 2> back{};
  file.read(6, back);
  EXPECT_EQ(back[0], std::byte{'y'});
  file.commit();
  EXPECT_EQ(read_text_file(path), std::string("abc\0\0\0yz", 8));
  EXPECT_EQ(n_files(), 1u);
}

TEST_F(OutputFileTest, LeavesNothingBehindWithoutCommit) {
  dir_.write("out", "old");
  { OutputFile file(dir_.path() / "out", 8); }
  EXPECT_EQ(read_text_file(dir_.path() / "out"), "old");
  EXPECT_EQ(n_files(), 1u);
}

TEST_F(OutputFileTest, ReplacesWhatACrashLeft) {
  dir_.write("out.partial", "much longer than what is written now");
  OutputFile file(dir_.path() / "out", 3);
  file.write(0, bytes_of("new"));
  file.commit();
  EXPECT_EQ(read_text_file(dir_.path() / "out"), "new");
}

TEST_F(OutputFileTest, AskingWhetherItCanBeWrittenHarmsNothing) {
  dir_.write("out.partial", "somebody's");
  check_writable(dir_.path() / "out");
  EXPECT_EQ(read_text_file(dir_.path() / "out.partial"), "somebody's");
  check_writable(dir_.path() / "other");
  EXPECT_EQ(n_files(), 1u);
}

TEST_F(OutputFileTest, RefusesPlacesThatCannotBeWritten) {
  EXPECT_THAT(write_error_of([&] { OutputFile file(dir_.path(), 8); }),
              HasSubstr("is a directory, expected the name of a file"));
  EXPECT_THAT(write_error_of([&] { OutputFile file(dir_.path() / "none" / "out", 8); }),
              HasSubstr("out.partial: No such file or directory"));
  EXPECT_THAT(write_error_of([&] { OutputFile file("", 8); }), HasSubstr("the name is empty"));
  EXPECT_THAT(write_error_of([&] { check_writable(""); }), HasSubstr("the name is empty"));
  EXPECT_EQ(n_files(), 0u);
}

TEST_F(OutputFileTest, RefusesASecondWriterOfTheSameFile) {
  OutputFile first(dir_.path() / "out", 8);
  EXPECT_THAT(write_error_of([&] { OutputFile second(dir_.path() / "out", 8); }),
              HasSubstr("is being written by another process"));
  EXPECT_EQ(n_files(), 1u);
}

/// Makes every file end at 4096 bytes, which is how a full disk feels.
class SmallDisk {
 public:
  SmallDisk() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    signal_before_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{4096, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_before_);
  }

 private:
  rlimit before_{};
  void (*signal_before_)(int) = nullptr;
};

TEST_F(OutputFileTest, AFullDiskGivesASentenceAndLeavesNothing) {
  const SmallDisk small;
  EXPECT_THAT(write_error_of([&] { OutputFile file(dir_.path() / "out", 5000); }),
              HasSubstr("out: can't reserve 5000 bytes: File too large"));
  {
    OutputFile file(dir_.path() / "out", 4096);
    EXPECT_THAT(write_error_of([&] { file.write(4096, bytes_of("x")); }),
                HasSubstr("can't write 1 bytes at byte 4096: File too large"));
  }
  EXPECT_EQ(n_files(), 0u);
}

TEST_F(OutputFileTest, NothingIsPutAmongTheShardsItIsMadeFrom) {
  const fs::path inputs[] = {dir_.path() / "config.json", dir_.path() / "foo.safetensors"};
  dir_.write("foo.safetensors", "weights");
  for (const char* taken : {"foo.safetensors", "model.safetensors"}) {
    EXPECT_NE(write_error_of([&] { spare_inputs(dir_.path() / taken, inputs); }), "") << taken;
  }
  EXPECT_THAT(write_error_of([&] { spare_inputs(dir_.path() / "model.safetensors", inputs); }),
              HasSubstr("would be taken for weights beside " + inputs[1].string()));
  EXPECT_EQ(write_error_of([&] { spare_inputs(dir_.path() / "model.leyden", inputs); }), "");
  EXPECT_EQ(write_error_of([&] { spare_inputs("elsewhere.safetensors", inputs); }), "");
}

TEST_F(OutputFileTest, ADeviceIsNotReplacedByAFile) {
  const fs::path device = dir_.path() / "device";
  fs::create_symlink("/dev/null", device);
  EXPECT_THAT(write_error_of([&] { OutputFile file(device, 1); }), HasSubstr("no regular file"));
  EXPECT_TRUE(fs::is_character_file(device));
}

TEST_F(OutputFileTest, ALinkIsWrittenThrough) {
  const fs::path real = dir_.path() / "real", link = dir_.path() / "link";
  const fs::path to_link = dir_.path() / "to_link";
  fs::create_symlink("real", link);  // leads nowhere yet
  fs::create_symlink(link, to_link);
  for (const std::string text : {"new", "newer"}) {
    OutputFile file(to_link, text.size());
    EXPECT_TRUE(fs::exists(dir_.path() / "real.partial"));
    file.write(0, bytes_of(text));
    file.commit();
    EXPECT_TRUE(fs::is_symlink(to_link) && fs::is_symlink(link) && !fs::is_symlink(real));
    EXPECT_EQ(read_text_file(real), text);
  }
  EXPECT_EQ(n_files(), 3u);
}

TEST_F(OutputFileTest, LinksInACircleAndNamesOfOpenFilesAreNotReplaced) {
  const fs::path circle = dir_.path() / "circle", open = dir_.path() / "open";
  fs::create_symlink(circle, circle);
  EXPECT_THAT(write_error_of([&] { OutputFile file(circle, 1); }),
              HasSubstr("circle: Too many levels of symbolic links"));
  fs::create_symlink("/proc/self/fd/0", open);
  EXPECT_THAT(write_error_of([&] { OutputFile file(open, 1); }), HasSubstr("no regular file"));
  EXPECT_TRUE(fs::is_symlink(circle) && fs::is_symlink(open));
}

TEST_F(OutputFileTest, WhatCannotGetItsNameStays) {
  const fs::path path = dir_.path() / "out";
  {
    OutputFile file(path, 3);
    file.write(0, bytes_of("new"));
    fs::create_directory(path);
    EXPECT_THAT(
        write_error_of([&] { file.commit(); }),
        HasSubstr("out: can't rename from " + path.string() + ".partial, which is complete: "));
  }
  EXPECT_EQ(read_text_file(path.string() + ".partial"), "new");
}

TEST_F(OutputFileTest, WhoseUnfinishedFileIsGoneTakesNobodyElses) {
  const fs::path path = dir_.path() / "out", partial = path.string() + ".partial";
  std::optional<OutputFile> first(std::in_place, path, 3);
  fs::remove(partial);
  OutputFile second(path, 5);
  second.write(0, bytes_of("other"));
  const auto gone = HasSubstr("out: " + partial.string() + " was removed or replaced meanwhile");
  EXPECT_THAT(write_error_of([&] { first->sync(); }), gone);
  EXPECT_THAT(write_error_of([&] { first->commit(); }), gone);
  EXPECT_FALSE(fs::exists(path));
  first.reset();
  second.commit();
  EXPECT_EQ(read_text_file(path), "other");
}

/// Runs it in a thread whose calls of that number fail. False if that can't be had here.
template <typename Action>
bool with_refused(std::uint32_t call, std::uint32_t error, std::uint32_t from,
                  const Action& action) {
  bool is_refused = false;
  std::thread([&] {
    is_refused = fixtures::refuse_call(call, error, from);
    if (is_refused) action();
  }).join();
  return is_refused;
}

TEST_F(OutputFileTest, AFileSystemWithoutLocksIsWrittenTo) {
  const fs::path path = dir_.path() / "out";
  for (const std::uint32_t error : {ENOSYS, EOPNOTSUPP, ENOLCK}) {
    const bool is_refused = with_refused(SYS_flock, error, 0, [&] {
      EXPECT_EQ(write_error_of([&] { OutputFile(path, 3).commit(); }), "");
    });
    if (!is_refused) GTEST_SKIP() << "no system call can be refused here";
    EXPECT_TRUE(fs::remove(path)) << error;
    EXPECT_EQ(n_files(), 0u);
  }
}

TEST_F(OutputFileTest, ALockThatFailsIsNamedAndLeavesWhatWasThere) {
  const auto refused = [&] {
    return with_refused(SYS_flock, EIO, 0, [&] {
      EXPECT_THAT(write_error_of([&] { OutputFile file(dir_.path() / "out", 3); }),
                  HasSubstr("out.partial: Input/output error"));
    });
  };
  if (!refused()) GTEST_SKIP() << "no system call can be refused here";
  EXPECT_EQ(n_files(), 0u);
  dir_.write("out.partial", "left");
  refused();
  EXPECT_EQ(read_text_file(dir_.path() / "out.partial"), "left");
}

/// Some network file systems can't sync directories.
TEST_F(OutputFileTest, ADirectoryThatCannotBeSyncedIsNoError) {
  const fs::path path = dir_.path() / "out";
  const int next = ::dup(0);  // the file's descriptor; the directory's is a later one
  ::close(next);
  for (const std::uint32_t error : {EINVAL, EBADF, EOPNOTSUPP, EIO}) {
    const bool is_refused =
        with_refused(SYS_fsync, error, static_cast<std::uint32_t>(next) + 1, [&] {
          EXPECT_EQ(write_error_of([&] { OutputFile(path, 3).commit(); }),
                    error == EIO ? path.string() +
                                       ": can't write the directory entry to disk: "
                                       "Input/output error"
                                 : "");
        });
    if (!is_refused) GTEST_SKIP() << "no system call can be refused here";
  }
}

/// On tmpfs space isn't reserved but asked for.
TEST(OutputFileInMemoryTest, RefusesWhatHasNoRoomAndShortensNothing) {
  struct statfs system {};
  if (::statfs("/dev/shm", &system) != 0 || system.f_type != TMPFS_MAGIC) {
    GTEST_SKIP() << "/dev/shm is no tmpfs here";
  }
  const fs::path path = "/dev/shm/leyden-output-file-test-" + std::to_string(::getpid());
  const fs::path partial = path.string() + ".partial";
  EXPECT_THAT(write_error_of([&] { OutputFile(path, std::uint64_t{1} << 60); }),
              HasSubstr("can't reserve 1152921504606846976 bytes: No space left on device"));
  EXPECT_FALSE(fs::exists(partial));
  { OutputFile(path, 100, 0644, Unfinished::kKeep).write(95, bytes_of("later")); }
  {
    const OutputFile kept(path, 10, 0644, Unfinished::kKeep);
    EXPECT_TRUE(kept.has_kept());
    std::array<std::byte, 5> back{};
    kept.read(95, back);
    EXPECT_EQ(back[0], std::byte{'l'});
  }
  { const OutputFile anew(path, 10); }
  EXPECT_FALSE(fs::exists(partial));
}

/// Where syncing costs nothing, so that they meet often.
TEST(OutputFileInMemoryTest, WritersThatMeetNeitherMixNorCutWhatIsFinished) {
  if (!fs::is_directory("/dev/shm")) GTEST_SKIP() << "there is no /dev/shm here";
  const fs::path folder = "/dev/shm/leyden-output-file-test-" + std::to_string(::getpid());
  fs::create_directory(folder);
  const fs::path path = folder / "out";
  std::atomic<int> n_finished = 0;
  const auto write_often = [&](char letter) {
    const std::string text(100, letter);
    for (int n = 0; n < 4000; ++n) {
      try {
        OutputFile file(path, text.size());
        file.write(0, bytes_of(text));
        file.commit();
        ++n_finished;
      } catch (const WriteError& error) {
        EXPECT_THAT(error.what(), HasSubstr("is being written by another process"));
      }
    }
  };
  std::ofstream(path) << std::string(100, 'a');
  std::thread first(write_often, 'b'), second(write_often, 'c'), third(write_often, 'd');
  for (int n = 0; n < 2000; ++n) {
    const std::string text = read_text_file(path);
    EXPECT_EQ(text, std::string(100, text.empty() ? '?' : text.front()));
  }
  first.join();
  second.join();
  third.join();
  EXPECT_GT(n_finished, 0);
  EXPECT_FALSE(fs::exists(path.string() + ".partial"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace leyden::formats
