#include "quant/levels.h"

namespace leyden::quant {

const Levels kGaussianLevels = {1, 16, 26, 34, 41, 47, 53, 58, 64, 69, 75, 81, 88, 95, 104, 116};

const Levels kEvenLevels = {56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71};

}  // namespace leyden::quant
