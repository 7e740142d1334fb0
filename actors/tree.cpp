#include <algorithm>
#include <coppice/actors/dispatcher.hpp>
#include <coppice/actors/listener.hpp>
#include <coppice/actors/tree.hpp>
#include <coppice/actors/worker_proxy.hpp>
#include <coppice/runtime/link/process_link.hpp>
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

class tree_maker {
public:
  tree_maker(const service_spec& spec, group_grounds& groups, const tree_ground& ground)
      : groups_{groups},
        ground_{ground} {
    for (const auto& numbered : number_groups(spec))
      first_ids_[numbered.group->name] = numbered.first_worker_id;
  }

  std::vector<startable> children(const std::vector<child>& specs) {
    std::vector<startable> made;
    // Agents first, wherever the spec has them: they are up before the pools and end after them.
    for (const bool agents : {true, false})
      for (const auto& each : specs) {
        const auto* group = each.group();
        const bool is_agent = group && group->what == group_spec::kind::agent;
        if (is_agent != agents) continue;
        made.push_back(group ? of_group(*group) : of_nested(*each.nested()));
      }
    return made;
  }

  std::vector<startable> listeners() {
    std::vector<startable> made;
    for (auto& [name, group] : groups_)
      for (std::uint32_t i = 0; i < group.endpoints.size(); ++i) {
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
  startable of_nested(const nested_spec& nested) {
    supervisor_options options;
    options.spec.strategy = nested.strategy;
    options.spec.intensity = nested.intensity;
    options.children = children(nested.children);
    options.log = ground_.log;
    options.seed = next_seed();
    return nested_supervisor({.id = nested.name, .restart = nested.restart}, std::move(options));
  }

  startable of_group(const group_spec& group) {
    supervisor_options options;
    options.spec = supervisor_of(group);
    options.log = ground_.log;
    options.seed = next_seed();
    const auto roster = groups_.at(group.name).roster;
    if (roster) {
      dispatcher_parts parts{roster, ground_.log};
      options.children.push_back({child_spec{.id = "dispatcher"},
                                  [parts](const start_context& context) {
                                    return port::spawn_state<dispatcher>(*context.system, parts);
                                  },
                                  child_link::exit});
    }
    const unsigned n = instances_of(group);
    for (unsigned slot = 1; slot <= n; ++slot) options.children.push_back(of_slot(group, slot));
    return nested_supervisor({.id = group.name}, std::move(options));
  }

  startable of_slot(const group_spec& group, unsigned slot) {
    process_link_options process;
    process.group = group.name;
    process.name = worker_name(group, slot);
    process.worker_id = first_ids_.at(group.name) + slot - 1;
    // Shared by all that start this slot, so that it counts on when a supervisor above is
    // restarted.
    auto incarnations = std::make_shared<std::uint64_t>(0);
    return {worker_of(group, process.name),
            [ground = ground_, process, slot, incarnations, roster = groups_.at(group.name).roster,
             patience = patience_of(group)](const start_context& context) mutable {
              process.incarnation = ++*incarnations;
              return port::spawn_state<worker_proxy>(
                  *context.system,
                  worker_proxy_parts{process.name,
                                     {slot, process.incarnation},
                                     context.incarnation,
                                     context.supervisor,
                                     std::make_unique<process_link>(*ground.io, *ground.processes,
                                                                    *ground.log, process),
                                     roster,
                                     patience,
                                     deliver_through<link_told>(*ground.actors),
                                     ground.log});
            },
            child_link::messages};
  }

  std::uint64_t next_seed() { return ground_.seed + ++seeds_; }

  group_grounds& groups_;
  tree_ground ground_;
  std::map<std::string, std::uint64_t> first_ids_;
  std::uint64_t seeds_ = 0;
};

} // namespace

std::string worker_name(const group_spec& group, unsigned slot) {
  return group.what == group_spec::kind::agent ? group.name
                                               : group.name + "/" + std::to_string(slot);
}

supervisor_spec supervisor_of(const group_spec& group) {
  const bool is_pool = group.what == group_spec::kind::pool;
  supervisor_spec spec;
  spec.intensity = group.intensity;
  spec.on_exceeded = group.on_exceeded.value_or(is_pool ? degrade : escalate);
  spec.parallel_start = is_pool;
  spec.max_starting = 2 * std::max(1u, std::thread::hardware_concurrency());
  return spec;
}

child_spec worker_of(const group_spec& group, const std::string& name) {
  return {
      .id = name,
      .restart = group.restart,
      .shutdown = group.shutdown.value_or(shutdown_time{group.endpoints.empty() ? 5s : 25s}),
      .backoff = group.backoff,
      .ready_timeout = group.ready_timeout,
  };
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
  for (auto& each : maker.children(spec.children)) all.push_back(std::move(each));
  return all;
}

} // namespace coppice
