#include "quant/scale.h"  // upwards
