# cmake -DNM=nm -DLEVEL=avx2 -DOBJECTS=a.o,b.o -P check_symbols.cmake: fails when an object built
# with an ISA level's flags defines a symbol that the rest of the program could pick up.
#
# A weak function is an inline one that wasn't inlined: the linker keeps one copy for everybody, and
# if that is the AVX-512 one, the program dies on other machines. So nothing weak at all (W, V, u),
# and every global name lies in the level's own namespace.
string(REPLACE "," ";" objects "${OBJECTS}")
set(errors 0)
set(n_globals 0)
execute_process(COMMAND ${NM} -A --demangle --defined-only --extern-only ${objects}
                OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[][;]" "_" output "${output}") # CMake's list characters
string(REPLACE "\n" ";" lines "${output}")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^([^:]+):[0-9a-f]+ ([A-Za-z]) (.*)$")
    continue()
  endif()
  set(object "${CMAKE_MATCH_1}")
  set(kind ${CMAKE_MATCH_2})
  set(name "${CMAKE_MATCH_3}")
  math(EXPR n_globals "${n_globals} + 1")
  if(kind MATCHES "^[WwVvu]$")
    message(NOTICE "${object}: weak symbol '${name}' (${kind}) would be shared with other levels")
    math(EXPR errors "${errors} + 1")
  elseif(NOT name MATCHES "^leyden::simd::${LEVEL}::")
    message(NOTICE "${object}: '${name}' (${kind}) lies outside leyden::simd::${LEVEL}")
    math(EXPR errors "${errors} + 1")
  endif()
endforeach()

if(errors)
  message(FATAL_ERROR "${errors} symbols leak out of level ${LEVEL}")
elseif(n_globals EQUAL 0)
  message(FATAL_ERROR "the objects of level ${LEVEL} define no global symbol: nothing was checked")
endif()
message(NOTICE "${n_globals} symbols of level ${LEVEL} checked")
