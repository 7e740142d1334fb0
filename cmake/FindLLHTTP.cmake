# Finds llhttp, the HTTP/1.1 parser: the system's library, else the C sources that scripts/fetch-llhttp has unpacked.
#
#   LLHTTP_FOUND, LLHTTP_VERSION
#   LLHTTP_INCLUDE_DIR   where llhttp.h is
#   LLHTTP_LIBRARY       the system's library; empty if the sources are used
#   LLHTTP_SOURCES       the C sources to compile into the target that needs them; empty if there is a library
include(FindPackageHandleStandardArgs)
get_filename_component(llhttp_unpacked "${CMAKE_CURRENT_LIST_DIR}/../.deps/llhttp" ABSOLUTE)

find_path(LLHTTP_INCLUDE_DIR llhttp.h HINTS "${llhttp_unpacked}")
set(LLHTTP_SOURCES)
if(LLHTTP_INCLUDE_DIR AND EXISTS "${LLHTTP_INCLUDE_DIR}/llhttp.c")
  foreach(source IN ITEMS api.c http.c llhttp.c)
    list(APPEND LLHTTP_SOURCES "${LLHTTP_INCLUDE_DIR}/${source}")
  endforeach()
  set(llhttp_code LLHTTP_SOURCES)
  unset(LLHTTP_LIBRARY CACHE) # not found by an earlier run, before the sources were there
else()
  find_library(LLHTTP_LIBRARY llhttp)
  set(llhttp_code LLHTTP_LIBRARY)
endif()

if(LLHTTP_INCLUDE_DIR)
  file(STRINGS "${LLHTTP_INCLUDE_DIR}/llhttp.h" llhttp_lines REGEX "^#define LLHTTP_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX MATCHALL "[0-9]+" llhttp_numbers "${llhttp_lines}")
  list(JOIN llhttp_numbers "." LLHTTP_VERSION)
endif()

find_package_handle_standard_args(LLHTTP
  REQUIRED_VARS ${llhttp_code} LLHTTP_INCLUDE_DIR
  VERSION_VAR LLHTTP_VERSION
  REASON_FAILURE_MESSAGE "Run scripts/fetch-llhttp, or install libllhttp-dev where it exists.")
mark_as_advanced(LLHTTP_INCLUDE_DIR LLHTTP_LIBRARY)
