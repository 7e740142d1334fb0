# cmake --install: headers as they are included, libraries, and a CMake package that finds what they need.
option(COPPICE_INSTALL "Install coppice" ${PROJECT_IS_TOP_LEVEL})
if(NOT COPPICE_INSTALL)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(COPPICE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/coppice)

foreach(folder IN ITEMS runtime supervisors actors http)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coppice
          FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/coppice.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coppice)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(TARGETS coppice_runtime coppice_caf coppice_supervisors coppice_actors coppice_http coppice
        EXPORT coppiceTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT coppiceTargets NAMESPACE coppice:: DESTINATION ${COPPICE_PACKAGE_DIR})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/coppiceConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/coppiceConfig.cmake INSTALL_DESTINATION ${COPPICE_PACKAGE_DIR})
# Before 1.0 a minor version may break what was there.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/coppiceConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/coppiceConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/coppiceConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/CoppiceDependencies.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindCAF.cmake
  DESTINATION ${COPPICE_PACKAGE_DIR})
