#include "simd/dot.h"  // downwards, as it should be
