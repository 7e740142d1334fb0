# How every target of the project is made: include path, warnings, sanitizers, headers to install.

# In-tree and installed alike, headers are <coppice/FOLDER/FILE.hpp>: the build has links to the folders.
set(COPPICE_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${COPPICE_INCLUDE_DIR}/coppice)
foreach(folder IN ITEMS runtime supervisors actors http)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${COPPICE_INCLUDE_DIR}/coppice/${folder} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/coppice.hpp ${COPPICE_INCLUDE_DIR}/coppice/coppice.hpp SYMBOLIC)

function(coppice_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic
    $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wshadow>
    $<$<BOOL:${COPPICE_WERROR}>:-Werror>)
  # g++ 12 sees overlaps in inlined std::string operations that are not there (GCC bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
  endif()
  # g++ 12 warns wrongly about coroutine frames and inlined containers when sanitizers instrument the code.
  if(COPPICE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${COPPICE_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
    target_link_options(${target} PRIVATE -fsanitize=${COPPICE_SANITIZE})
    if(COPPICE_SANITIZE MATCHES thread)
      # Fences, asio's and ours, order what TSan then reports or not; that it ignores them is no defect of the code.
      target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
    endif()
    if(COPPICE_SANITIZE MATCHES undefined)
      # A header of CAF 0.17 binds a reference to null in an unevaluated way.
      target_compile_options(${target} PRIVATE -fno-sanitize=null)
    endif()
  endif()
endfunction()

# coppice_library(NAME): the static library coppice_NAME with the alias coppice::NAME. Its sources are added
# with target_sources by the folder's CMakeLists; its headers are found by their place.
function(coppice_library name)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}_placeholder.cpp CONTENT "\n")
  add_library(coppice_${name} STATIC ${PROJECT_BINARY_DIR}/${name}_placeholder.cpp)
  add_library(coppice::${name} ALIAS coppice_${name})
  set_target_properties(coppice_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_include_directories(coppice_${name} PUBLIC
    $<BUILD_INTERFACE:${COPPICE_INCLUDE_DIR}> $<INSTALL_INTERFACE:include>)
  target_compile_features(coppice_${name} PUBLIC cxx_std_20)
  coppice_compile_options(coppice_${name})
endfunction()

# coppice::coppice is all of it.
function(coppice_umbrella)
  add_library(coppice INTERFACE)
  add_library(coppice::coppice ALIAS coppice)
  target_link_libraries(coppice INTERFACE coppice_http coppice_actors)
endfunction()

# coppice_program(NAME SOURCES... LIBS...): an executable in bin/.
function(coppice_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  coppice_compile_options(${name})
endfunction()
