#pragma once
// A dispatch_policy at work: it chooses a worker for each connection, and remembers what it needs
// to. One for each pool; it outlives workers and dispatchers. Pure: no clock, and randomness by
// seed.

#include <coppice/actors/policy.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace coppice {

/// What a policy must be told of a client.
enum class client_trait {
  nothing,
  affinity_by_address, ///< newcomer::affinity, of the address
  affinity_by_head,    ///< newcomer::affinity, of the first bytes
  address,             ///< newcomer::address
};

class balancer {
public:
  balancer(client_trait trait, bool counts_open) : trait_{trait}, counts_open_{counts_open} {}
  balancer(const balancer&) = delete;
  balancer& operator=(const balancer&) = delete;
  virtual ~balancer() = default;

  /// An index of a worker with credit. `workers` are in the order of their slots, and one has
  /// credit at least.
  [[nodiscard]] virtual std::size_t choose(std::span<const worker_load> workers,
                                           const newcomer& who) = 0;

  [[nodiscard]] client_trait trait() const noexcept { return trait_; }
  /// Whether it goes by worker_load::open, which costs messages to keep.
  [[nodiscard]] bool counts_open() const noexcept { return counts_open_; }

private:
  client_trait trait_;
  bool counts_open_;
};

/// Told of the 1st, 2nd, 4th, ... time that a function of the user's did not answer as it should.
using on_bad_choice = std::function<void(std::uint64_t times, const std::string& what)>;

/// `policy` is valid. The seed is of power_of_two_choices.
[[nodiscard]] std::shared_ptr<balancer> make_balancer(const dispatch_policy& policy = {},
                                                      std::uint64_t seed = 1,
                                                      on_bad_choice complain = {});

/// The hash of an address or of a cookie's value; never 0. The same in every process.
[[nodiscard]] std::uint64_t affinity_of(std::string_view text) noexcept;

} // namespace coppice
