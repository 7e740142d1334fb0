#pragma once
// Catch2 is version 2 in Debian 12 and version 3 elsewhere; the headers have different names.
#ifdef COPPICE_CATCH2_V2
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::Contains;
#endif
