#pragma once
// A child that is an actor in the primary, as far as it can be said without CAF: actor_child.hpp
// makes one.

#include <coppice/supervisors/child_spec.hpp>

#include <memory>
#include <optional>
#include <string>

namespace coppice {

struct actor_factory;

struct actor_spec {
  /// Unique in the whole tree, as a pool's.
  std::string name{};
  /// Required.
  std::shared_ptr<const actor_factory> factory{};
  restart_type restart = permanent;
  coppice::backoff backoff{};
  /// How long it may take to end when it is asked to. Default: 5 s.
  std::optional<shutdown_time> shutdown{};
};

/// What its supervisor knows of it.
[[nodiscard]] child_spec child_of(const actor_spec& spec);

} // namespace coppice
