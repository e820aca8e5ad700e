#include "src/model/model.h"  // across
