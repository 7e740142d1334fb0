#include <algorithm>
#include <coppice/actors/spec.hpp>
#include <coppice/actors/tree.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/head_value.hpp>
#include <coppice/runtime/net/listen_options.hpp>
#include <coppice/supervisors/validate.hpp>
#include <csignal>
#include <fmt/format.h>
#include <set>
#include <thread>

namespace coppice {
namespace {

constexpr unsigned max_instances = 1024;

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

bool is_usual(const restart_limit& limit) {
  const restart_limit usual;
  return limit.restarts == usual.restarts && limit.period == usual.period;
}

/// Whether it has connections: at a udp endpoint there are none.
bool accepts(const group_spec& spec) {
  return std::any_of(spec.endpoints.begin(), spec.endpoints.end(),
                     [](const std::string& text) { return !text.starts_with("udp://"); });
}

std::string what_is_wrong_with(const dispatch_policy& policy, unsigned instances) {
  const auto& weights = policy.weights;
  switch (policy.what) {
  case policy_kind::weighted:
    if (weights.size() != instances)
      return "has " + std::to_string(weights.size()) + " weights for " + std::to_string(instances) +
             " instances";
    if (std::all_of(weights.begin(), weights.end(), [](unsigned w) { return w == 0; }))
      return "weighs all with 0: nobody would have a turn";
    return {};
  case policy_kind::sticky_cookie:
    return is_head_name(policy.name) ? "" : "'" + policy.name + "' is no name of a cookie";
  case policy_kind::sticky_header:
    return is_head_name(policy.name) ? "" : "'" + policy.name + "' is no name of a header field";
  case policy_kind::custom:
    return policy.choose ? "" : "is empty: there is no function to ask";
  default:
    return {};
  }
}

/// Collects what is wrong, walking the tree in the order of the spec.
class spec_check {
public:
  void service(const service_spec& spec) {
    if (spec.children.empty()) add("", "children", "", "is empty: there is nothing to run");
    std::vector<child_spec> below;
    supervisor_spec root;
    root.strategy = spec.strategy;
    root.intensity = spec.intensity;
    root.auto_shutdown = spec.auto_shutdown;
    children(spec.children, spec.strategy, below);
    own(validate(root, below));
  }

  void program(const program_spec& spec) {
    name(spec.name);
    if (spec.executable.empty())
      add(spec.name, "executable", "", "is empty: there is nothing to run");
    for (const auto& text : spec.arguments)
      if (text.find('\0') != text.npos) add(spec.name, "arguments", text, "has a zero byte");
    const bool probed =
        spec.ready.how == ready_when::kind::connects || spec.ready.how == ready_when::kind::answers;
    if (probed)
      if (const auto target = parse_target(spec.ready); !target)
        add(spec.name, "ready", spec.ready.where, target.error().reason);
    signal(spec.name, "stop_signal", spec.stop_signal, 1);
    signal(spec.name, "orphan_signal", spec.orphan_signal, 0);
    settings(spec.name, spec.settings);
  }

  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> lines;
    for (const auto& error : errors_) lines.push_back(error.message());
    return lines;
  }

private:
  void children(const std::vector<child>& specs, restart_strategy strategy,
                std::vector<child_spec>& into) {
    for (const auto& each : specs) {
      if (const auto* group = each.group()) {
        const bool own = group->what == group_spec::kind::agent && strategy != one_for_one;
        into.push_back(own ? worker_of(*group, group->name) : child_of(*group));
        this->group(*group);
        if (own && (group->on_exceeded || !is_usual(group->intensity)))
          add(group->name, group->on_exceeded ? "on_exceeded" : "intensity", "",
              "under " + std::string{to_string(strategy)} + " the supervisor's own counts");
      } else if (const auto* program = each.program()) {
        into.push_back(child_of(*program));
        this->program(*program);
      } else if (const auto* actor = each.actor()) {
        into.push_back(child_of(*actor));
        name(actor->name);
        if (!actor->factory) add(actor->name, "factory", "", "is empty: nothing would be started");
      } else {
        into.push_back(child_of(*each.nested()));
        nested(*each.nested());
      }
    }
  }

  void nested(const nested_spec& spec) {
    name(spec.name);
    if (spec.children.empty())
      add(spec.name, "children", "", "is empty: there is nothing to supervise");
    std::vector<child_spec> below;
    supervisor_spec own_spec;
    own_spec.strategy = spec.strategy;
    own_spec.intensity = spec.intensity;
    own_spec.auto_shutdown = spec.auto_shutdown;
    children(spec.children, spec.strategy, below);
    own(validate(own_spec, below), spec.name);
  }

  void group(const group_spec& spec) {
    name(spec.name);
    if (!spec.body) add(spec.name, "body", "", "is empty: a worker would have nothing to run");
    const bool none = spec.what == group_spec::kind::dynamic;
    if (spec.instances && ((*spec.instances == 0 && !none) || *spec.instances > max_instances))
      add(spec.name, "instances", std::to_string(*spec.instances),
          "is not within 1 and " + std::to_string(max_instances));
    if (spec.what == group_spec::kind::agent && spec.instances != 1u)
      add(spec.name, "instances", "", "an agent is one process; a pool can be many");
    std::set<std::string> seen;
    for (const auto& text : spec.endpoints) endpoint(spec, text, seen);
    most(spec, "max_connections", spec.max_connections);
    most(spec, "max_connections_per_worker", spec.max_connections_per_worker);
    policy(spec);
    settings(spec.name, spec.settings);
    health(spec);
    if (spec.significant && spec.what == group_spec::kind::pool)
      add(spec.name, "significant", "true", "a pool does not end by itself");
    if (spec.what == group_spec::kind::agent) {
      const std::vector<child_spec> workers{worker_of(spec, spec.name)};
      own(validate(supervisor_of(spec), workers), spec.name);
    } else {
      own(validate(supervisor_of(spec), {}, template_of(spec)), spec.name);
    }
  }

  void most(const group_spec& spec, const char* field, std::optional<std::size_t> value) {
    if (!value) return;
    if (!accepts(spec))
      add(spec.name, field, std::to_string(*value), "is for pools that listen");
    else if (*value == 0)
      add(spec.name, field, "0", "nobody would be served");
  }

  void endpoint(const group_spec& spec, const std::string& text, std::set<std::string>& seen) {
    const auto its = parse_listen(text);
    if (!its) return add(spec.name, "listen", text, its.error().reason);
    if (!is_chosen_by_kernel(its->where)) {
      const auto where = to_string(its->where);
      if (!seen.insert(where).second)
        add(spec.name, "listen", text, "is there twice");
      else if (!endpoints_.insert(where).second)
        add(spec.name, "listen", text, "is another pool's already");
    }
    const auto why = why_unprotected(*its);
    if (!why.empty() && spec.protect.value_or(protection::none) != protection::none)
      add(spec.name, "protection", std::string{to_string(*spec.protect)},
          "over " + text + " there is none: " + std::string{why});
  }

  void policy(const group_spec& spec) {
    const auto& its = spec.policy;
    if (its.what != policy_kind::round_robin && !accepts(spec))
      add(spec.name, "policy", to_string(its.what), "is for pools that listen");
    else if (auto why = what_is_wrong_with(its, instances_of(spec)); !why.empty())
      add(spec.name, "policy", to_string(its.what), std::move(why));
  }

  void signal(const std::string& child, const char* field, int number, int least) {
    if (number < least || number > SIGRTMAX)
      add(child, field, std::to_string(number), "is no signal");
  }

  void settings(const std::string& child, const process_settings& its) {
    for (auto& error : coppice::validate(its))
      add(child, std::move(error.field), std::move(error.value), std::move(error.why));
    if (const auto found = with_user(its); !found)
      add(child, "user", its.user, found.error().reason);
  }

  void health(const group_spec& spec) {
    const auto time = [&](const char* field, std::optional<std::chrono::milliseconds> value,
                          std::chrono::milliseconds least) {
      if (!value) return;
      if (*value < least)
        add(spec.name, field, to_text(*value), "is below the least, " + to_text(least));
      if (*value > limits::longest_duration)
        add(spec.name, field, to_text(*value), "is longer than a year");
    };
    const auto count = [&](const char* field, std::optional<std::uint64_t> value) {
      if (value == 0u) add(spec.name, field, "0", "a worker would be replaced at once");
    };
    const auto& health = spec.health;
    time("hang_timeout", health.hang_timeout, limits::hang_timeout_least);
    time("max_lifetime", health.max_lifetime, limits::health_look);
    count("max_memory", health.max_memory);
    count("max_requests", health.max_requests);
    if (!(health.jitter >= 0 && health.jitter <= 1))
      add(spec.name, "health_jitter", fmt::format("{}", health.jitter), "must be in [0, 1]");
  }

  void name(const std::string& text) {
    if (!is_name(text))
      add(text, "name", text, "must be 1 to 64 letters, digits, '_', '-' or '.'");
    else if (!names_.insert(text).second)
      add(text, "name", text, "is there twice; names are addresses, unique in the whole tree");
  }

  /// What the supervision core itself checks; its words for "the supervisor itself" get the name.
  void own(std::vector<spec_error> found, const std::string& name = {}) {
    for (auto& error : found) {
      if (error.field == "id") continue; // said by name(), with the rule for the whole tree
      if (error.child.empty()) error.child = name;
      errors_.push_back(std::move(error));
    }
  }

  void add(std::string child, std::string field, std::string value, std::string why) {
    errors_.push_back({std::move(child), std::move(field), std::move(value), std::move(why)});
  }

  std::vector<spec_error> errors_;
  std::set<std::string> names_;
  std::set<std::string> endpoints_;
};

void collect(const std::vector<child>& children, group_spec::kind what,
             std::vector<const group_spec*>& into) {
  for (const auto& each : children) {
    if (const auto* group = each.group()) {
      if (group->what == what) into.push_back(group);
    } else if (const auto* nested = each.nested()) {
      collect(nested->children, what, into);
    }
  }
}

/// Where the supervisor of this name is, if the spec has one.
bool find_path(const std::vector<child>& children, std::string_view name,
               std::vector<std::string>& path) {
  for (const auto& each : children) {
    const auto* group = each.group();
    const auto* nested = each.nested();
    if (!group && !nested) continue; // a program or an actor has no children
    path.push_back(group ? group->name : nested->name);
    if (path.back() == name || (nested && find_path(nested->children, name, path))) return true;
    path.pop_back();
  }
  return false;
}

bool any_program(const std::vector<child>& children) {
  return std::any_of(children.begin(), children.end(), [](const child& each) {
    return each.program() || (each.nested() && any_program(each.nested()->children));
  });
}

} // namespace

std::vector<std::string> validate(const service_spec& spec) {
  spec_check check;
  check.service(spec);
  return check.messages();
}

std::vector<std::string> validate(const program_spec& spec) {
  spec_check check;
  check.program(spec);
  return check.messages();
}

bool has_programs(const service_spec& spec) { return any_program(spec.children); }

unsigned instances_of(const group_spec& group) {
  return group.instances.value_or(std::max(1u, std::thread::hardware_concurrency()));
}

std::vector<std::string> path_of(const service_spec& spec, std::string_view name) {
  std::vector<std::string> path;
  if (!name.empty() && !find_path(spec.children, name, path)) {
    for (std::size_t end; (end = name.find('/')) != name.npos; name.remove_prefix(end + 1))
      path.emplace_back(name.substr(0, end));
    path.emplace_back(name);
  }
  return path;
}

std::vector<numbered_group> number_groups(const service_spec& spec) {
  std::vector<const group_spec*> groups;
  collect(spec.children, group_spec::kind::agent, groups);
  collect(spec.children, group_spec::kind::pool, groups);
  collect(spec.children, group_spec::kind::dynamic, groups);
  std::vector<numbered_group> numbered;
  std::uint64_t next = 1; // 0 is the primary
  for (const auto* group : groups) {
    numbered.push_back({group, next, instances_of(*group)});
    next += numbered.back().instances;
  }
  return numbered;
}

} // namespace coppice
