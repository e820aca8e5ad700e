#pragma once

namespace leyden::tools {

/// Makes true what the rest of the program takes for granted, whoever has started it: descriptors 0
/// to 2 are open, or the first file we open would get what is meant for standard output; a file
/// that may not grow any more (ulimit -f) is an error of write(), not a signal; and standard error
/// has our own sentences only, none of hwloc's.
void prepare_process();

}  // namespace leyden::tools
