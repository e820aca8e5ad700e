#include "src/calibration.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "formats/load_error.h"
#include "src/model/tensor_plan.h"
#include "tests/formats/temp_directory.h"

namespace leyden {
namespace {

namespace fs = std::filesystem;

TEST(CalibrationTest, SavesLoadsAndWeighs) {
  const leyden::fixtures::TempDirectory dir;
  const fs::path file = dir.path() / "calibration";
  const Calibration written({{"a", {2, 4, {1, 2, 3, 2, 0, 0, 0, 0}, {5, 0}}}});
  written.save(file);
  const Calibration read = Calibration::load(file);
  EXPECT_EQ(read.fingerprint(), written.fingerprint());
  EXPECT_EQ(read.unreached(), (std::map<std::string, std::int64_t>{{"a", 1}}));
  model::PlannedTensor planned;
  planned.name = "a";
  planned.count = 2;
  planned.cols = 4;
  // The second matrix, which nothing reached, takes the average of the others.
  EXPECT_EQ(read.importance(planned), (std::vector<float>{0.5f, 1, 1.5f, 1, 0.5f, 1, 1.5f, 1}));
  planned.name = "b";
  EXPECT_TRUE(read.importance(planned).empty());
  planned.name = "a";
  planned.cols = 5;
  EXPECT_THROW(read.importance(planned), formats::LoadError);
}

TEST(CalibrationTest, ARefusalIsShortAndPrintableWhateverTheTensorsName) {
  const leyden::fixtures::TempDirectory dir;
  const fs::path file = dir.path() / "calibration";
  Calibration({{"\x1b[31m" + std::string(20000, 'a'), {1, 2, {1, 2}, {-1}}}}).save(file);
  try {
    Calibration::load(file);
    FAIL() << "fewer tokens than none are taken";
  } catch (const formats::LoadError& error) {
    const std::string sentence = error.what();
    EXPECT_LT(sentence.size(), 1000u);
    EXPECT_EQ(sentence.find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace leyden
