#include <coppice/runtime/caf/loop_scheduler.hpp>

#include <asio/post.hpp>
#include <caf/actor.hpp>
#include <caf/actor_registry.hpp>
#include <caf/send.hpp>
#include <cassert>
#include <coppice/runtime/caf/log_printer.hpp>
#include <coppice/runtime/limits.hpp>
#include <utility>

namespace coppice {
namespace {

/// The reference of a job that another thread has made ready, until the loop thread has it.
class owned_job {
public:
  explicit owned_job(caf::resumable* job) noexcept : job_{job} {}
  owned_job(owned_job&& other) noexcept : job_{std::exchange(other.job_, nullptr)} {}
  owned_job& operator=(owned_job&&) = delete;
  ~owned_job() {
    if (job_ != nullptr) caf::scheduler::abstract_coordinator::cleanup_and_release(job_);
  }
  [[nodiscard]] caf::resumable* release() noexcept { return std::exchange(job_, nullptr); }

private:
  caf::resumable* job_;
};

} // namespace

void loop_scheduler::load(caf::actor_system_config& config, asio::io_context& io, logger& log) {
  config.module_factories.push_back(
      [&io, &log](caf::actor_system& system) -> caf::actor_system::module* {
        return new loop_scheduler{system, io, log}; // the system owns it
      });
}

loop_scheduler& loop_scheduler::of(caf::actor_system& system) {
  return static_cast<loop_scheduler&>(system.scheduler());
}

loop_scheduler::loop_scheduler(caf::actor_system& system, asio::io_context& io, logger& log)
    : abstract_coordinator{system},
      io_{io},
      log_{log},
      handoff_{io},
      clock_{io, handoff_},
      unit_{&system, *this},
      self_{std::make_shared<loop_scheduler*>(this)} {}

loop_scheduler::~loop_scheduler() { *self_ = nullptr; }

// Not the base class's: that starts a thread for the printer.
void loop_scheduler::start() { utility_actors_[printer_id] = spawn_log_printer(system_, log_); }

void loop_scheduler::stop() {
  clock_.close(); // delayed messages keep actors alive
  std::size_t rounds = 0;
  for (; rounds < limits::kill_rounds; ++rounds) {
    handoff_.run();
    roster_.kill_all(); // in the first round all, then those that were started meanwhile
    if (ready_.empty()) break;
    run_round();
  }
  if (rounds == limits::kill_rounds)
    log_.error("end actors: {} are ready still, and are left behind", ready_.size());

  for (caf::actor& each : utility_actors_) {
    caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
    each = nullptr;
  }
  for (std::size_t last = ready_.size(); last > 0; --last) {
    caf::resumable* job = ready_.front();
    ready_.pop_front();
    run(job);
  }
  handoff_.close();
  while (!ready_.empty()) { // its watchers may push
    caf::resumable* job = ready_.front();
    ready_.pop_front();
    cleanup_and_release(job);
  }
  *self_ = nullptr;
}

void loop_scheduler::enqueue(caf::resumable* job) {
  if (handoff_.here()) {
    push(job);
    return;
  }
  handoff_.call([this, owned = owned_job{job}]() mutable { push(owned.release()); });
}

void loop_scheduler::push(caf::resumable* job) {
  ready_.push_back(job);
  post_if_needed();
}

void loop_scheduler::post_if_needed() {
  if (ready_.empty() || running_ || holding_ || posted_) return;
  posted_ = true;
  asio::post(io_, [self = self_] {
    if (*self != nullptr) (*self)->on_turn();
  });
}

void loop_scheduler::on_turn() {
  posted_ = false;
  if (!running_) run_round(); // else an actor runs the loop, which is its own fault
  post_if_needed();
}

void loop_scheduler::run_ready() {
  assert(handoff_.here());
  if (running_ || backlog_) return;
  run_round();
  post_if_needed();
}

void loop_scheduler::run_round() {
  const flag_scope running{running_};
  for (std::size_t turns = limits::actor_round; turns > 0 && !ready_.empty(); --turns) {
    caf::resumable* job = ready_.front();
    ready_.pop_front();
    run(job);
  }
  backlog_ = !ready_.empty();
}

void loop_scheduler::run(caf::resumable* job) {
  roster_.see(*job);
  switch (job->resume(&unit_, limits::actor_turn)) {
  case caf::resumable::resume_later:
    ready_.push_back(job);
    break;
  case caf::resumable::shutdown_execution_unit: // CAF's own schedulers' way to end a thread
    break;
  case caf::resumable::awaiting_message:
  case caf::resumable::done:
    caf::intrusive_ptr_release(job);
    break;
  }
}

} // namespace coppice
