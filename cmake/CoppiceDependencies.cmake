# Everything coppice is built from, as imported targets. The same file is installed and used by the CMake
# package, so that an outside project finds exactly what the build found.
include(CMakeFindDependencyMacro)
find_package(Threads REQUIRED)
find_package(CAF REQUIRED COMPONENTS core)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)

find_path(ASIO_INCLUDE_DIR asio.hpp REQUIRED)
# asio asks the standard library's headers whether there is aligned_alloc, and takes "no" where none was included
# before it: then one file allocates with it what another frees with delete. So it is told.
if(NOT TARGET coppice::asio)
  add_library(coppice::asio INTERFACE IMPORTED)
  set_target_properties(coppice::asio PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${ASIO_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "ASIO_STANDALONE;ASIO_NO_DEPRECATED;ASIO_HAS_STD_ALIGNED_ALLOC=1"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()

# The CMake package of msgpack-cxx has another name in each release; the header has not.
find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)
if(NOT TARGET coppice::msgpack)
  add_library(coppice::msgpack INTERFACE IMPORTED)
  set_target_properties(coppice::msgpack PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${MSGPACK_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS MSGPACK_NO_BOOST)
endif()

find_path(EXPECTED_INCLUDE_DIR tl/expected.hpp REQUIRED)
if(NOT TARGET coppice::expected)
  add_library(coppice::expected INTERFACE IMPORTED)
  set_target_properties(coppice::expected PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${EXPECTED_INCLUDE_DIR}")
endif()
