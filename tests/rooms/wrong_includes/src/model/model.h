#include "tools/main.h"  // upwards
