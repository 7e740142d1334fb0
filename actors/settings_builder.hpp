#pragma once
// What pool, agent, dynamic and program have in common: the settings of their processes, one method
// each. process_settings says what each means; what is not set is inherited.

#include <coppice/runtime/spawn/process_settings.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coppice {

/// `Self` has a member function `process_settings& settings()`, and gets methods that return it.
template <class Self>
class settings_builder {
public:
  /// Adds the variable, or replaces it.
  Self& environment(const std::string& name, const std::string& value) {
    return set([&](auto& s) { s.set.push_back(name + "=" + value); });
  }
  Self& unset_environment(std::string name) {
    return set([&](auto& s) { s.unset.push_back(std::move(name)); });
  }
  /// Begins with no variables at all.
  Self& clear_environment() {
    return set([](auto& s) { s.clear_environment = true; });
  }
  Self& directory(std::string path) {
    return set([&](auto& s) { s.directory = std::move(path); });
  }
  /// By name: uid, gid and groups of that account.
  Self& user(std::string name) {
    return set([&](auto& s) { s.user = std::move(name); });
  }
  Self& uid(std::uint32_t id) {
    return set([&](auto& s) { s.uid = id; });
  }
  Self& gid(std::uint32_t id) {
    return set([&](auto& s) { s.gid = id; });
  }
  Self& groups(std::vector<std::uint32_t> ids) {
    return set([&](auto& s) { s.groups = std::move(ids); });
  }
  Self& umask(std::uint32_t mask) {
    return set([&](auto& s) { s.umask = mask; });
  }
  Self& nice(int value) {
    return set([&](auto& s) { s.nice = value; });
  }
  /// Soft and hard alike: `.limit(RLIMIT_NOFILE, 1024)`.
  Self& limit(int resource, std::uint64_t value) { return limit(resource, value, value); }
  Self& limit(int resource, std::uint64_t soft, std::uint64_t hard) {
    return set([&](auto& s) { s.limits.push_back({resource, soft, hard}); });
  }
  /// The processors it may run on.
  Self& processors(std::vector<unsigned> numbers) {
    return set([&](auto& s) { s.processors = std::move(numbers); });
  }
  Self& no_new_privileges() {
    return set([](auto& s) { s.no_new_privileges = true; });
  }

private:
  template <class F>
  Self& set(F change) {
    auto& self = static_cast<Self&>(*this);
    change(self.settings());
    return self;
  }
};

} // namespace coppice
