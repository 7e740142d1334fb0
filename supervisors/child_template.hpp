#pragma once
// The one spec that all children of a dynamic supervisor are made from (OTP: simple_one_for_one). A
// value; pure.

#include <coppice/runtime/limits.hpp>
#include <coppice/supervisors/child_spec.hpp>

namespace coppice {

struct child_template {
  /// Its id is what theirs begin with: "web" makes "web/1", "web/2", ... A new child takes the
  /// lowest number that is free.
  child_spec spec{};
  /// So many are started with the supervisor.
  unsigned initial = 0;
  /// There are never more; at most limits::dynamic_children.
  unsigned max_children = limits::dynamic_children;
};

} // namespace coppice
