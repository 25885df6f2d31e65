# The targets of Derivgrind:
#
#   derivgrind::headers      derivgrind.h and derivgrind.hpp, which need no library
#   derivgrind::derivgrind   libderivgrind and derivgrind_library.h
#   derivgrind::fortran      the modules derivgrind and derivgrind_clientrequests, compiled by the compilers of the
#                            project; the languages C and Fortran must have been enabled before
#
# and DERIVGRIND_PROGRAM and DERIVGRIND_TAPE_EVALUATION, the paths of the programs.
#
# SPDX-License-Identifier: MIT OR Apache-2.0
get_filename_component(_derivgrind_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

set(DERIVGRIND_PROGRAM "${_derivgrind_prefix}/bin/derivgrind")
set(DERIVGRIND_TAPE_EVALUATION "${_derivgrind_prefix}/bin/tape-evaluation")

if(NOT TARGET derivgrind::headers)
  add_library(derivgrind::headers INTERFACE IMPORTED)
  set_target_properties(derivgrind::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_derivgrind_prefix}/include")

  add_library(derivgrind::derivgrind SHARED IMPORTED)
  set_target_properties(derivgrind::derivgrind PROPERTIES
    IMPORTED_LOCATION "${_derivgrind_prefix}/lib/libderivgrind.so.@VERSION@"
    IMPORTED_SONAME "libderivgrind.so.@MAJOR@"
    INTERFACE_INCLUDE_DIRECTORIES "${_derivgrind_prefix}/include")
endif()

get_property(_derivgrind_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if("Fortran" IN_LIST _derivgrind_languages AND "C" IN_LIST _derivgrind_languages AND NOT TARGET derivgrind::fortran)
  # Modules of one compiler cannot be read by another.
  set(_derivgrind_fortran "${_derivgrind_prefix}/share/derivgrind/sdk-fortran")
  add_library(derivgrind_fortran STATIC EXCLUDE_FROM_ALL
    "${_derivgrind_fortran}/src/derivgrind.f90"
    "${_derivgrind_fortran}/src/derivgrind_clientrequests.f90"
    "${_derivgrind_fortran}/src/derivgrind_requests.c")
  set(_derivgrind_modules "${CMAKE_CURRENT_BINARY_DIR}/derivgrind_modules")
  set_target_properties(derivgrind_fortran PROPERTIES
    Fortran_MODULE_DIRECTORY "${_derivgrind_modules}"
    POSITION_INDEPENDENT_CODE ON)
  target_include_directories(derivgrind_fortran
    PRIVATE "${_derivgrind_prefix}/include"
    INTERFACE "${_derivgrind_modules}")
  add_library(derivgrind::fortran ALIAS derivgrind_fortran)
endif()
