#include "scale.h"  // not from the top
