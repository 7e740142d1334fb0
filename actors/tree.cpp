#include <algorithm>
#include <coppice/actors/actor_child.hpp>
#include <coppice/actors/dispatcher.hpp>
#include <coppice/actors/listener.hpp>
#include <coppice/actors/program_proxy.hpp>
#include <coppice/actors/slot_mailbox.hpp>
#include <coppice/actors/tree.hpp>
#include <coppice/actors/worker_proxy.hpp>
#include <coppice/runtime/link/process_link.hpp>
#include <coppice/runtime/program/program_process.hpp>
#include <stdexcept>
#include <thread>

namespace coppice {
namespace {

using namespace std::chrono_literals;

template <class Message>
deliver_to<Message> deliver_through(actor_loop& actors) {
  return [&actors](const caf::actor_addr& to, Message message) {
    if (auto actor = caf::actor_cast<caf::actor>(to)) actors.deliver(actor, std::move(message));
  };
}

/// The steps of some settings, their user looked up; or why they cannot be had, which is then the
/// reason of every start that fails.
using setup_result = result<std::vector<wire::setup_step>>;

setup_result setup_of(const process_settings& settings) {
  const auto found = with_user(settings);
  if (!found) return tl::make_unexpected(found.error());
  return steps_of(*found);
}

const std::vector<wire::setup_step>& or_throw(const setup_result& setup) {
  if (!setup) throw std::runtime_error{setup.error().message()};
  return *setup;
}

program_options options_of(const program_spec& spec) {
  program_options options;
  options.name = spec.name;
  options.executable = spec.executable;
  options.arguments = spec.arguments;
  options.session = spec.session;
  options.parent_death_signal = spec.orphan_signal;
  options.ready = spec.ready;
  options.capture_output = spec.output == program_output::log;
  return options;
}

/// In [0, 1), the same for the same seed.
double draw(std::uint64_t seed) {
  return static_cast<double>(random_source{seed}() >> 11) * 0x1p-53;
}

head_key head_key_of(const dispatch_policy& policy) {
  const bool cookie = policy.what == policy_kind::sticky_cookie;
  return {cookie ? head_key::kind::cookie : head_key::kind::field, policy.name};
}

caf::actor mailbox_of(caf::actor_system& system, post_office* post, std::uint64_t id,
                      const std::string& name, const std::string& group) {
  if (post == nullptr) return {};
  return ensure_mailbox(system, *post,
                        resident{.id = id, .name = name, .group = group, .mailbox = {}});
}

class tree_maker {
public:
  tree_maker(const service_spec& spec, group_grounds& groups, const tree_ground& ground)
      : groups_{groups},
        ground_{ground} {
    for (const auto& numbered : number_groups(spec)) {
      first_ids_[numbered.group->name] = numbered.first_worker_id;
      *next_id_ = numbered.first_worker_id + numbered.instances;
    }
  }

  std::vector<startable> children(const std::vector<child>& specs, restart_strategy strategy) {
    std::vector<startable> made;
    if (strategy != restart_strategy::one_for_one) { // the order means something: it is the spec's
      for (const auto& each : specs) {
        const auto* group = each.group();
        const bool is_agent = group && group->what == group_spec::kind::agent;
        // Its death must be a death among its siblings, not one of a supervisor of its own.
        made.push_back(is_agent ? of_worker(*group) : of(each));
      }
      return made;
    }
    // Agents first, wherever the spec has them: they are up before the pools and end after them.
    for (const bool agents : {true, false})
      for (const auto& each : specs) {
        const auto* group = each.group();
        const bool is_agent = group && group->what == group_spec::kind::agent;
        if (is_agent == agents) made.push_back(of(each));
      }
    return made;
  }

  std::vector<startable> listeners() {
    std::vector<startable> made;
    for (auto& [name, group] : groups_)
      for (std::uint32_t i = 0; i < group.endpoints.size(); ++i) {
        if (!group.endpoints[i]) continue; // nobody connects to a udp endpoint
        listener_parts parts{group.endpoints[i].get(), group.roster, i,
                             deliver_through<connection_waits>(*ground_.actors), ground_.log};
        made.push_back({child_spec{.id = "listener " + group.endpoints[i]->endpoint()},
                        [parts](const start_context& context) {
                          return port::spawn_state<listener>(*context.system, parts);
                        },
                        child_link::exit});
      }
    return made;
  }

private:
  startable of(const child& each) {
    if (const auto* group = each.group()) return of_group(*group);
    if (const auto* program = each.program()) {
      auto maker = maker_of(*program, ground_);
      return {child_of(*program), std::move(maker.make), maker.link, std::move(maker.kind), {}};
    }
    if (const auto* actor = each.actor()) return of_actor(*actor);
    return of_nested(*each.nested());
  }

  startable of_actor(const actor_spec& spec) {
    return {.spec = child_of(spec),
            .start = [factory = spec.factory](
                         const start_context& context) { return factory->make(*context.system); },
            .link = child_link::exit};
  }

  startable of_nested(const nested_spec& nested) {
    supervisor_options options;
    options.spec.strategy = nested.strategy;
    options.spec.intensity = nested.intensity;
    options.spec.auto_shutdown = nested.auto_shutdown;
    options.children = children(nested.children, nested.strategy);
    options.log = ground_.log;
    options.seed = next_seed();
    return nested_supervisor(child_of(nested), std::move(options));
  }

  startable of_group(const group_spec& group) {
    supervisor_options options;
    options.spec = supervisor_of(group);
    options.log = ground_.log;
    options.seed = next_seed();
    const auto& own = groups_.at(group.name);
    if (own.roster) {
      dispatcher_parts parts{own.roster,
                             ground_.log,
                             own.bytes.get(),
                             head_key_of(group.policy),
                             deliver_through<first_bytes_came>(*ground_.actors),
                             deliver_through<seat_free>(*ground_.actors)};
      options.children.push_back({child_spec{.id = "dispatcher"},
                                  [parts](const start_context& context) {
                                    return port::spawn_state<dispatcher>(*context.system, parts);
                                  },
                                  child_link::exit});
    }
    auto worker = of_worker(group);
    if (group.what == group_spec::kind::agent)
      options.children.push_back(std::move(worker));
    else
      options.dynamic =
          dynamic_children{std::move(worker), instances_of(group), group.max_children};
    return nested_supervisor(child_of(group), std::move(options));
  }

  /// Who a slot is, however often its supervisors are restarted and it is scaled away and back.
  struct slot_identity {
    std::uint64_t worker_id = 0;
    std::uint64_t incarnation = 0;
  };

  startable of_worker(const group_spec& group) {
    auto slots = std::make_shared<std::map<unsigned, slot_identity>>();
    for (unsigned slot = 1; slot <= instances_of(group); ++slot)
      (*slots)[slot] = {first_ids_.at(group.name) + slot - 1, 0};
    const auto level = groups_.at(group.name).level;
    return {worker_of(group, group.name),
            [ground = ground_, name = group.name, setup = setup_of(group.settings), slots, level,
             next_id = next_id_, roster = groups_.at(group.name).roster,
             patience = patience_of(group), health = group.health,
             seed = next_seed()](const start_context& context) {
              const unsigned slot = std::max(context.number, 1u);
              slot_identity& own = (*slots)[slot];
              if (own.worker_id == 0) own.worker_id = (*next_id)++;
              const process_link_options process{name,
                                                 context.id,
                                                 own.worker_id,
                                                 ++own.incarnation,
                                                 or_throw(setup),
                                                 level != protection::none};
              return port::spawn_state<worker_proxy>(
                  *context.system,
                  worker_proxy_parts{
                      process.name,
                      {slot, process.incarnation},
                      context.incarnation,
                      context.supervisor,
                      std::make_shared<process_link>(*ground.io, *ground.processes, *ground.log,
                                                     process),
                      roster,
                      level,
                      patience,
                      deliver_through<link_told>(*ground.actors),
                      ground.log,
                      ground.reports,
                      health,
                      draw(seed + (own.worker_id << 32) + own.incarnation),
                      own.worker_id,
                      ground.post,
                      mailbox_of(*context.system, ground.post, own.worker_id, context.id, name)});
            },
            child_link::messages,
            {},
            [slots, post = ground_.post](unsigned number) {
              const auto found = slots->find(std::max(number, 1u));
              if (post && found != slots->end()) end_mailbox(*post, found->second.worker_id);
            }};
  }

  std::uint64_t next_seed() { return ground_.seed + ++seeds_; }

  group_grounds& groups_;
  tree_ground ground_;
  std::map<std::string, std::uint64_t> first_ids_;
  /// Of slots that the spec does not have; agents and pools of the spec come before.
  std::shared_ptr<std::uint64_t> next_id_ = std::make_shared<std::uint64_t>(1);
  std::uint64_t seeds_ = 0;
};

} // namespace

child_maker maker_of(const program_spec& spec, const tree_ground& ground) {
  return {.make =
              [ground, options = options_of(spec), setup = setup_of(spec.settings),
               stop_signal = spec.stop_signal](const start_context& context) {
                program_options mine = options;
                mine.setup = or_throw(setup);
                return port::spawn_state<program_proxy>(
                    *context.system,
                    program_proxy_parts{
                        options.name, context.incarnation, context.supervisor,
                        std::make_unique<program_process>(*ground.io, *ground.log, std::move(mine)),
                        stop_signal, deliver_through<program_told>(*ground.actors)});
              },
          .link = child_link::messages,
          .kind = "program"};
}

std::string worker_name(const group_spec& group, unsigned slot) {
  return group.what == group_spec::kind::agent ? group.name
                                               : group.name + "/" + std::to_string(slot);
}

supervisor_spec supervisor_of(const group_spec& group) {
  const bool is_pool = group.what == group_spec::kind::pool;
  supervisor_spec spec;
  if (group.significant) spec.auto_shutdown = auto_shutdown_policy::all_significant;
  spec.intensity = group.intensity;
  spec.on_exceeded = group.on_exceeded.value_or(is_pool ? degrade : escalate);
  spec.parallel_start = group.what != group_spec::kind::agent;
  spec.max_starting = 2 * std::max(1u, std::thread::hardware_concurrency());
  return spec;
}

child_spec worker_of(const group_spec& group, const std::string& name) {
  return {
      .id = name,
      .restart = group.restart,
      .shutdown = group.shutdown.value_or(shutdown_time{group.endpoints.empty() ? 5s : 25s}),
      .significant = group.significant,
      .backoff = group.backoff,
      // What must exist once must not exist twice, not even for a moment.
      .replacement = group.what == group_spec::kind::agent ? stop_first : start_first,
      .ready_timeout = group.ready_timeout,
  };
}

child_template template_of(const group_spec& group) {
  return {worker_of(group, group.name), instances_of(group), group.max_children};
}

/// A group that ends by itself does so because its significant workers have: well, hence transient.
child_spec child_of(const group_spec& group) {
  return {.id = group.name,
          .restart = group.significant ? transient : permanent,
          .type = child_type::supervisor,
          .significant = group.significant};
}

child_spec child_of(const nested_spec& nested) {
  return {.id = nested.name,
          .restart = nested.restart,
          .shutdown = nested.shutdown,
          .type = child_type::supervisor,
          .significant = nested.significant,
          .backoff = nested.backoff};
}

child_spec child_of(const program_spec& spec) {
  return {
      .id = spec.name,
      .restart = spec.restart,
      .shutdown = spec.shutdown,
      .backoff = spec.backoff,
      .ready_timeout = spec.ready_timeout,
  };
}

child_spec child_of(const actor_spec& spec) {
  return {
      .id = spec.name, .restart = spec.restart, .shutdown = spec.shutdown, .backoff = spec.backoff};
}

std::chrono::milliseconds patience_of(const group_spec& group) {
  const auto shutdown = shutdown_of(worker_of(group, group.name));
  if (shutdown.is_brutal()) return 0ms;
  return shutdown.limit().value_or(std::chrono::milliseconds{UINT32_MAX});
}

std::vector<startable> make_tree(const service_spec& spec, group_grounds& groups,
                                 const tree_ground& ground) {
  tree_maker maker{spec, groups, ground};
  auto all = maker.listeners();
  for (auto& each : maker.children(spec.children, spec.strategy)) all.push_back(std::move(each));
  return all;
}

} // namespace coppice
