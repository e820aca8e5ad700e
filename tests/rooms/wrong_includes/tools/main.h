#include "src/model/model.h"
