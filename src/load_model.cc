#include "src/load_model.h"

namespace leyden {}
