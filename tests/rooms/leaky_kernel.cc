// Breaks both rules of check_symbols.cmake on purpose, so that a test can watch it notice.
namespace leyden::simd {

[[gnu::noinline]] inline int leaked_inline(int x) { return x + 1; }

int outside_the_level(int x) { return leaked_inline(x); }

namespace avx2 {
int at_home(int x) { return x; }
}  // namespace avx2

}  // namespace leyden::simd
