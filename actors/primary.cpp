#include <algorithm>
#include <coppice/actors/primary.hpp>
#include <coppice/actors/primary_actor.hpp>
#include <coppice/actors/primary_mailbox.hpp>
#include <coppice/actors/tree.hpp>
#include <coppice/runtime/caf/actor_loop.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/socket_acceptor.hpp>
#include <coppice/runtime/net/socket_first_bytes.hpp>
#include <coppice/runtime/program/orphan_reaper.hpp>
#include <coppice/runtime/spawn/exec_spawner.hpp>
#include <coppice/runtime/spawn/zygote_spawner.hpp>
#include <fmt/ranges.h>
#include <optional>
#include <random>
#include <set>
#include <unistd.h>

namespace coppice {

class primary::impl {
public:
  impl(asio::io_context& io, service_spec spec, logger& log, primary_options options)
      : io_{io},
        log_{log},
        spec_{std::move(spec)},
        options_{std::move(options)},
        reports_{options_.state_dir + "/crashes"},
        actors_{io, log} {}

  ~impl() {
    if (actor_) caf::anon_send_exit(actor_, caf::exit_reason::kill);
    actor_ = nullptr;
  }

  result<void> start(std::function<void(int)> on_end) {
    on_end_ = std::move(on_end);
    started_ = std::chrono::steady_clock::now();
    if (auto opened = open_endpoints(); !opened) return opened;
    if (has_programs(spec_)) expect_programs();
    if (::getpid() == 1) adopt_orphans();
    spawn_actor();
    if (spec_.spawn == spawn_method::exec)
      start_with(exec());
    else
      start_zygote();
    return {};
  }

  void stop() {
    if (!actor_) return;
    if (zygotes_) zygotes_->wind_down();
    actors_.deliver(actor_, stop_tree{});
  }

  [[nodiscard]] std::vector<std::string> endpoints() const {
    std::vector<std::string> all;
    for (const auto& numbered : number_groups(spec_))
      if (const auto it = groups_.find(numbered.group->name); it != groups_.end())
        for (std::size_t i = 0; i < it->second.endpoints.size(); ++i)
          all.push_back(name_of(it->second, i));
    return all;
  }

  [[nodiscard]] supervisor_calls supervisors() {
    const std::weak_ptr alive{alive_};
    return supervisor_calls{
        [this, alive](std::string supervisor, calls::request what,
                      std::shared_ptr<const child_maker> start,
                      supervisor_calls::then<call_value> then) {
          if (alive.expired())
            return then(refused(call_error::shutting_down, "the primary is gone"));
          carry({path_of(spec_, supervisor), std::move(what), start ? *start : child_maker{}},
                std::move(then));
        },
        [this, alive](const program& child) {
          if (alive.expired() || !spawner_) return std::shared_ptr<const child_maker>{};
          expect_programs();
          return std::make_shared<const child_maker>(maker_of(child.spec(), ground()));
        }};
  }

private:
  /// Through the loop, there and back: the caller may be within a handler of the tree.
  void carry(supervisor_call call, supervisor_calls::then<call_value> then) {
    asio::post(io_, [this, alive = std::weak_ptr{alive_}, call = std::move(call),
                     then = std::move(then)]() mutable {
      if (alive.expired()) return;
      if (!actor_ || ended_)
        return then(refused(call_error::shutting_down, "the tree does not run"));
      actors_.deliver(actor_, ask_tree{std::move(call), [this, then](const call_answer& said) {
                                         asio::post(io_, [then, said] { then(said); });
                                       }});
    });
  }

  /// What they leave running comes to us.
  void expect_programs() {
    become_subreaper();
    adopt_orphans();
  }
  void adopt_orphans() {
    if (!reaper_) reaper_.emplace(io_);
  }

  [[nodiscard]] tree_ground ground() {
    auto* const reports = options_.state_dir.empty() ? nullptr : &reports_;
    return {&io_, &actors_, spawner_.get(), &log_, seed_, reports, &post_};
  }

  static std::string name_of(const group_ground& ground, std::size_t index) {
    if (const auto& socket = ground.endpoints[index]) return socket->endpoint();
    const auto& datagrams = ground.roster->datagrams;
    const auto found = std::find_if(datagrams.begin(), datagrams.end(),
                                    [&](const auto& each) { return each.listener == index; });
    return found->name;
  }

  /// Inherited ones first: until they are taken over, what we open ourselves may be given a number
  /// that somebody has written down by mistake.
  result<void> open_endpoints() {
    for (const bool inherited : {true, false})
      for (const auto& numbered : number_groups(spec_))
        if (auto opened = open_endpoints_of(*numbered.group, inherited); !opened) {
          groups_.clear();
          return opened;
        }
    if (const auto left = options_.inherited.left(); !left.empty())
      log_.warn("LISTEN_FDS: nobody serves {}", fmt::join(left, ", "));
    for (const auto& numbered : number_groups(spec_)) {
      auto& ground = groups_[numbered.group->name];
      if (ground.endpoints.empty()) continue;
      if (auto met = make_roster(*numbered.group, ground); !met) return met;
    }
    return {};
  }

  result<void> open_endpoints_of(const group_spec& group, bool inherited) {
    auto& ground = groups_[group.name];
    if (!ground.roster && !group.endpoints.empty()) ground.roster = std::make_shared<pool_roster>();
    ground.endpoints.resize(group.endpoints.size());
    for (std::size_t i = 0; i < group.endpoints.size(); ++i) {
      const auto asked = parse_listen(group.endpoints[i]);
      if (!asked) return tl::unexpected{asked.error()};
      if ((asked->where.kind == endpoint_kind::inherited) != inherited) continue;
      if (asked->where.kind == endpoint_kind::udp) {
        auto bound = bind_datagrams(*asked, static_cast<std::uint32_t>(i));
        if (!bound) return tl::unexpected{bound.error()};
        ground.roster->datagrams.push_back(*std::move(bound));
        continue;
      }
      auto opened = listen_at(*asked, options_.inherited);
      if (!opened) return tl::unexpected{opened.error()};
      if (!endpoint_names_.insert(opened->name).second) // SO_REUSEPORT was set by whoever opened it
        return failure_because("take over", group.endpoints[i],
                               opened->name + " is served by another socket already");
      if (!opened->counted && group.protect.value_or(protection::none) != protection::none)
        return failure_because("protect", group.endpoints[i],
                               "connections of " + opened->name +
                                   " end with their worker: protection '" +
                                   std::string{to_string(*group.protect)} + "' cannot be had");
      ground.endpoints[i] = std::make_unique<socket_acceptor>(io_, *std::move(opened));
    }
    return {};
  }

  result<void> make_roster(const group_spec& group, group_ground& ground) {
    ground.roster->name = group.name;
    for (const auto& each : ground.endpoints) {
      ground.roster->protects.push_back(
          each && each->counted() ? group.protect.value_or(protection::request) : protection::none);
      ground.level = std::max(ground.level, ground.roster->protects.back());
    }
    if (group.max_connections)
      ground.roster->seats = std::make_shared<connection_seats>(*group.max_connections);
    ground.roster->most_per_worker = group.max_connections_per_worker.value_or(0);
    ground.roster->policy = make_balancer(
        group.policy, seed_, [&log = log_, name = group.name](std::uint64_t n, const auto& what) {
          log.error("pool {}: its policy's function failed: {}; it is the next one's turn (seen {} "
                    "times)",
                    name, what, n);
        });
    if (ground.roster->policy->trait() != client_trait::affinity_by_head) return {};
    auto bytes = socket_first_bytes::open(io_);
    if (!bytes) return tl::unexpected{bytes.error()};
    ground.bytes = std::move(*bytes);
    return {};
  }

  void spawn_actor() {
    primary_actor_parts parts;
    for (const auto& [name, ground] : groups_)
      if (ground.roster) parts.pools.push_back(ground.roster);
    parts.on_up = [this](const tree_node& tree) { on_up(tree); };
    parts.on_end = [this](const ending& how) { on_tree_ended(how); };
    parts.log = &log_;
    spawn_primary_mailbox(actors_.system(), {&post_, &io_, &log_, spec_.on_message});
    actor_ = port::spawn_state<primary_actor>(actors_.system(), std::move(parts));
  }

  void start_zygote() {
    auto zygote = std::make_unique<zygote_spawner>(
        io_, log_, zygote_options{options_.executable, options_.argv, std::nullopt});
    auto& started = *zygote;
    spawner_ = std::move(zygote);
    started.start([this](result<void> ready) {
      if (ready) {
        zygotes_ = static_cast<zygote_spawner*>(spawner_.get());
        return start_with(std::move(spawner_));
      }
      log_.warn("{}; workers are executed one by one instead", ready.error().message());
      start_with(exec());
    });
  }

  std::unique_ptr<spawner> exec() {
    return std::make_unique<exec_spawner>(io_, log_,
                                          exec_options{options_.executable, options_.argv});
  }

  void start_with(std::unique_ptr<spawner> processes) {
    spawner_ = std::move(processes);
    if (ended_) return; // stopped meanwhile
    supervisor_options root;
    root.id = spec_.name;
    root.spec.strategy = spec_.strategy;
    root.spec.intensity = spec_.intensity;
    root.spec.auto_shutdown = spec_.auto_shutdown;
    root.seed = seed_;
    root.children = make_tree(spec_, groups_, ground());
    root.log = &log_;
    actors_.deliver(actor_,
                    start_tree{std::make_shared<const supervisor_options>(std::move(root))});
  }

  void on_up(const tree_node& tree) {
    std::size_t workers = 0;
    for (const auto& numbered : number_groups(spec_)) workers += numbered.instances;
    const auto took =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_);
    auto picture = to_text(tree);
    while (picture.ends_with('\n')) picture.pop_back();
    log_.info("ready: {} workers in {:.1f} ms\n{}", workers, took.count(), picture);
    if (zygotes_) zygotes_->keep_spares(1); // not earlier: the boot has the processors first
    if (spec_.on_ready) spec_.on_ready({::getpid(), endpoints(), workers, supervisors()});
  }

  void on_tree_ended(const ending& how) {
    if (std::exchange(ended_, true)) return;
    if (how.how == ending::well)
      log_.info("stopped");
    else
      log_.error("{}: {}", how.how == ending::start_failed ? "start failed" : "gave up",
                 how.reason);
    asio::post(io_, [this, alive = std::weak_ptr{alive_}, code = how.how == ending::well ? 0 : 1] {
      if (!alive.expired() && on_end_) on_end_(code);
    });
  }

  asio::io_context& io_;
  logger& log_;
  service_spec spec_;
  primary_options options_;
  crash_report_store reports_;
  std::function<void(int)> on_end_;
  std::chrono::steady_clock::time_point started_;
  bool ended_ = false;
  std::uint64_t seed_ = std::random_device{}();
  std::shared_ptr<int> alive_ = std::make_shared<int>();

  std::optional<orphan_reaper> reaper_;

  std::set<std::string> endpoint_names_; ///< of all that are open

  // What the tree stands on goes after the tree: the actors first of all.
  group_grounds groups_;
  post_office post_{log_};
  std::unique_ptr<spawner> spawner_;
  zygote_spawner* zygotes_ = nullptr; ///< the same, if it is one
  actor_loop actors_;
  caf::actor actor_;
};

primary::primary(asio::io_context& io, service_spec spec, logger& log, primary_options options)
    : impl_{std::make_unique<impl>(io, std::move(spec), log, std::move(options))} {}

primary::~primary() = default;

result<void> primary::start(std::function<void(int exit_code)> on_end) {
  return impl_->start(std::move(on_end));
}

void primary::stop() { impl_->stop(); }

supervisor_calls primary::supervisors() const { return impl_->supervisors(); }

std::vector<std::string> primary::endpoints() const { return impl_->endpoints(); }

} // namespace coppice
