#include <coppice/actors/balancer.hpp>

#include <bit>
#include <exception>
#include <utility>

namespace coppice {
namespace {

constexpr auto nobody = static_cast<std::size_t>(-1);
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

/// The finalizer of splitmix64 (Steele, Lea, Flood, 2014): each bit of `x` changes half of the
/// result's.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Whose turn it is: the first slot after the one that had the last turn, whoever came back when.
class rotation {
public:
  [[nodiscard]] std::size_t first(std::span<const worker_load> workers) const noexcept {
    for (std::size_t i = 0; i < workers.size(); ++i)
      if (workers[i].slot > last_) return i;
    return 0;
  }
  /// The next with credit.
  [[nodiscard]] std::size_t next(std::span<const worker_load> workers) noexcept {
    std::size_t at = first(workers);
    while (workers[at].credit == 0)
      if (++at == workers.size()) at = 0;
    last_ = workers[at].slot;
    return at;
  }
  /// This one had its turn.
  void had(const worker_load& worker) noexcept { last_ = worker.slot; }

private:
  std::uint64_t last_ = 0;
};

class round_robin_balancer final : public balancer {
public:
  round_robin_balancer() : balancer{client_trait::nothing, false} {}
  std::size_t choose(std::span<const worker_load> workers, const newcomer&) override {
    return turns_.next(workers);
  }

private:
  rotation turns_;
};

class least_connections_balancer final : public balancer {
public:
  least_connections_balancer() : balancer{client_trait::nothing, true} {}
  std::size_t choose(std::span<const worker_load> workers, const newcomer&) override {
    std::size_t best = nobody;
    std::size_t at = turns_.first(workers);
    for (std::size_t n = 0; n < workers.size(); ++n, ++at) {
      if (at == workers.size()) at = 0;
      if (workers[at].credit == 0) continue;
      if (best == nobody || workers[at].open < workers[best].open) best = at;
    }
    turns_.had(workers[best]);
    return best;
  }

private:
  rotation turns_;
};

/// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001: nearly as even as
/// looking at all, and several primaries do not all run to the same worker.
class two_choices_balancer final : public balancer {
public:
  explicit two_choices_balancer(std::uint64_t seed)
      : balancer{client_trait::nothing, true},
        state_{seed} {}
  std::size_t choose(std::span<const worker_load> workers, const newcomer&) override {
    std::size_t able = 0;
    for (const auto& w : workers) able += w.credit > 0 ? 1 : 0;
    const std::size_t one = below(able);
    if (able == 1) return nth(workers, one);
    std::size_t other = below(able - 1);
    if (other >= one) ++other;
    const std::size_t a = nth(workers, one);
    const std::size_t b = nth(workers, other);
    return workers[b].open < workers[a].open ? b : a;
  }

private:
  /// The remainder's bias is below 2^-50 for as many workers as there can be.
  std::size_t below(std::size_t n) noexcept {
    return static_cast<std::size_t>(mix(state_ += golden) % n);
  }
  /// The n-th of those with credit.
  static std::size_t nth(std::span<const worker_load> workers, std::size_t n) noexcept {
    std::size_t at = 0;
    for (;; ++at)
      if (workers[at].credit > 0 && n-- == 0) return at;
  }
  std::uint64_t state_;
};

/// Everybody able gains its weight, the richest gets the connection and pays what all have gained:
/// nginx, ngx_http_upstream_round_robin.c, "smooth weighted round-robin balancing".
class weighted_balancer final : public balancer {
public:
  explicit weighted_balancer(const std::vector<unsigned>& weights)
      : balancer{client_trait::nothing, false} {
    for (const unsigned weight : weights) slots_.push_back({weight, 0});
  }
  std::size_t choose(std::span<const worker_load> workers, const newcomer&) override {
    std::size_t best = nobody;
    std::int64_t gained = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (workers[i].credit == 0) continue;
      share& own = of(workers[i]);
      if (own.weight == 0) continue;
      own.wealth += own.weight;
      gained += own.weight;
      if (best == nobody || own.wealth > of(workers[best]).wealth) best = i;
    }
    if (best == nobody) return reserve_.next(workers);
    of(workers[best]).wealth -= gained;
    return best;
  }

private:
  struct share {
    std::int64_t weight;
    std::int64_t wealth;
  };
  share& of(const worker_load& worker) {
    const auto slot = static_cast<std::size_t>(worker.slot);
    if (slots_.size() < slot) slots_.resize(slot, {1, 0});
    return slots_[slot - 1];
  }
  std::vector<share> slots_;
  rotation reserve_; ///< of those that weigh nothing
};

/// Rendezvous hashing (Thaler, Ravishankar, 1998): each client has an order of all slots of its
/// own, and gets the first that can take it. So a slot that is down moves its own clients only, and
/// each to another place.
class rendezvous_balancer final : public balancer {
public:
  explicit rendezvous_balancer(client_trait trait) : balancer{trait, false} {}
  std::size_t choose(std::span<const worker_load> workers, const newcomer& who) override {
    if (who.affinity == 0) return turns_.next(workers);
    std::size_t best = nobody;
    std::uint64_t highest = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (workers[i].credit == 0) continue;
      const std::uint64_t score = mix(who.affinity ^ mix(workers[i].slot * golden));
      if (best != nobody && score <= highest) continue;
      best = i;
      highest = score;
    }
    return best;
  }

private:
  rotation turns_;
};

class custom_balancer final : public balancer {
public:
  custom_balancer(choose_worker choose, on_bad_choice complain)
      : balancer{client_trait::address, true},
        choose_{std::move(choose)},
        complain_{std::move(complain)} {}
  std::size_t choose(std::span<const worker_load> workers, const newcomer& who) override {
    ready_.clear();
    places_.clear();
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (workers[i].credit == 0) continue;
      ready_.push_back(workers[i]);
      places_.push_back(i);
    }
    const std::size_t answer = ask(who);
    return answer < places_.size() ? places_[answer] : turns_.next(workers);
  }

private:
  std::size_t ask(const newcomer& who) {
    try {
      const std::size_t answer = choose_(ready_, who);
      if (answer >= ready_.size())
        bad("it answered " + std::to_string(answer) + " with " + std::to_string(ready_.size()) +
            " workers to choose from");
      return answer;
    } catch (const std::exception& thrown) {
      bad(std::string{"it threw: "} + thrown.what());
    } catch (...) {
      bad("it threw something that is no std::exception");
    }
    return nobody;
  }
  void bad(const std::string& what) {
    if (std::has_single_bit(++bad_) && complain_) complain_(bad_, what);
  }

  choose_worker choose_;
  on_bad_choice complain_;
  rotation turns_;
  std::uint64_t bad_ = 0;
  std::vector<worker_load> ready_; // both keep their memory from one connection to the next
  std::vector<std::size_t> places_;
};

} // namespace

std::shared_ptr<balancer> make_balancer(const dispatch_policy& policy, std::uint64_t seed,
                                        on_bad_choice complain) {
  switch (policy.what) {
  case policy_kind::round_robin:
    break;
  case policy_kind::least_connections:
    return std::make_shared<least_connections_balancer>();
  case policy_kind::power_of_two_choices:
    return std::make_shared<two_choices_balancer>(seed);
  case policy_kind::weighted:
    return std::make_shared<weighted_balancer>(policy.weights);
  case policy_kind::ip_hash:
    return std::make_shared<rendezvous_balancer>(client_trait::affinity_by_address);
  case policy_kind::sticky_cookie:
  case policy_kind::sticky_header:
    return std::make_shared<rendezvous_balancer>(client_trait::affinity_by_head);
  case policy_kind::custom:
    return std::make_shared<custom_balancer>(policy.choose, std::move(complain));
  }
  return std::make_shared<round_robin_balancer>();
}

const char* to_string(policy_kind kind) noexcept {
  switch (kind) {
  case policy_kind::round_robin:
    return "round_robin";
  case policy_kind::least_connections:
    return "least_connections";
  case policy_kind::power_of_two_choices:
    return "power_of_two_choices";
  case policy_kind::weighted:
    return "weighted";
  case policy_kind::ip_hash:
    return "ip_hash";
  case policy_kind::sticky_cookie:
    return "sticky_cookie";
  case policy_kind::sticky_header:
    return "sticky_header";
  case policy_kind::custom:
    return "custom";
  }
  return "";
}

// FNV-1a: texts are short, and the bits are mixed again for each slot.
std::uint64_t affinity_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash == 0 ? 1 : hash;
}

} // namespace coppice
