#pragma once
// Checks a supervisor's spec before anything starts, and names everything that is wrong with it at
// once. Pure.

#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/child_template.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>

#include <span>
#include <string>
#include <vector>

namespace coppice {

struct spec_error {
  std::string child{}; ///< its id; empty: the supervisor itself
  std::string field{}; ///< "backoff.max"
  std::string value{}; ///< as it is now, for people: "100 ms"
  std::string why{};   ///< "is below backoff.first"

  /// "child \"web/1\": backoff.max = 100 ms: is below backoff.first (200 ms)"
  [[nodiscard]] std::string message() const;
  bool operator==(const spec_error&) const = default;
};

/// Everything that is wrong, supervisor first, then children in order; empty if all is well.
[[nodiscard]] std::vector<spec_error> validate(const supervisor_spec& spec,
                                               std::span<const child_spec> children);
/// Of a dynamic supervisor.
[[nodiscard]] std::vector<spec_error> validate(const supervisor_spec& spec,
                                               std::span<const child_spec> children,
                                               const child_template& dynamic);

} // namespace coppice
