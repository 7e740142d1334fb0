#include <coppice/runtime/spawn/zygote_spawner.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/socket_pair.hpp>

#include <algorithm>
#include <asio/post.hpp>
#include <bit>
#include <iterator>
#include <sys/prctl.h>
#include <utility>

namespace coppice {
namespace {

error stopped_error(std::string name = {}) {
  return {"spawn", std::move(name), {}, "the spawner has stopped"};
}

} // namespace

zygote_spawner::zygote_spawner(asio::io_context& loop, logger& log, zygote_options options)
    : loop_{loop},
      log_{log},
      options_{std::move(options)},
      way_{options_.fork.value_or(best_fork_way())},
      rest_{loop},
      spare_rest_{loop},
      answer_{loop},
      alive_{std::make_shared<zygote_spawner*>(this)} {
  // A worker of a double fork comes to us when the process in the middle ends.
  if (way_ == fork_way::double_fork) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

zygote_spawner::~zygote_spawner() {
  alive_.reset(); // answers that are still found are dropped: their processes end with them
  end_zygote();
}

void zygote_spawner::start(std::function<void(result<void>)> done) {
  if (done) starters_.push_back(std::move(done));
  switch (phase_) {
  case phase::idle:
    return begin();
  case phase::up:
    return answer_starters({});
  case phase::refused:
    return answer_starters(tl::make_unexpected(*refusal_));
  case phase::stopped:
    return answer_starters(tl::make_unexpected(stopped_error()));
  case phase::starting:
  case phase::resting:
    return; // on_hello, start_failed or stop
  }
}

void zygote_spawner::spawn(spawn_request request, on_spawned done) {
  if (phase_ == phase::stopped)
    return post_answer(std::move(done), tl::make_unexpected(stopped_error(request.name)));
  if (auto spare = take_spare(request)) return post_answer(std::move(done), *std::move(spare));
  if (phase_ == phase::refused) return post_answer(std::move(done), tl::make_unexpected(*refusal_));
  if (queue_.size() >= limits::spawn_queue)
    return post_answer(std::move(done),
                       failure_because("spawn", request.name, "too many requests wait"));
  queue_.push_back({next_id_++, std::move(request), std::move(done)});
  if (phase_ == phase::idle) return begin();
  if (phase_ == phase::up) send_orders();
}

void zygote_spawner::stop() {
  if (phase_ == phase::stopped) return;
  phase_ = phase::stopped;
  rest_.cancel();
  keep_spares(0);
  end_zygote();
  fail_all(stopped_error());
}

std::optional<pid_t> zygote_spawner::zygote_pid() const noexcept {
  if (!zygote_) return std::nullopt;
  return zygote_->pid();
}

// ---- the zygote's life

void zygote_spawner::begin() {
  phase_ = phase::starting;
  auto started = zygote_process::start(loop_, options_.executable, options_.argv, way_, *this);
  if (!started) return start_failed(std::move(started.error()));
  zygote_ = *std::move(started);
}

void zygote_spawner::begin_after(std::chrono::milliseconds rest) {
  if (rest == rest.zero()) return begin();
  phase_ = phase::resting;
  rest_.expires_after(rest);
  rest_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    if (auto self = alive.lock(); self && !stopped && (*self)->phase_ == phase::resting)
      (*self)->begin();
  });
}

void zygote_spawner::start_failed(error why) {
  log_.warn("{}", why.message());
  if (++failed_starts_ < limits::zygote_attempts) return begin_after(limits::zygote_rest_first);
  failed_starts_ = 0;
  phase_ = phase::idle; // the next request tries again
  fail_all(why);
}

void zygote_spawner::on_hello(const wire::zygote_hello& hello) {
  if (phase_ != phase::starting) return zygote_->kill("a second hello");
  std::string refusal = hello.error;
  if (refusal.empty() && hello.version != wire::protocol_version)
    refusal = "it speaks version " + std::to_string(hello.version) + " of the protocol, not " +
              std::to_string(wire::protocol_version);
  if (!refusal.empty()) {
    // It could before, so what hinders it may pass: tried again, as after a death at its start.
    if (was_up_) return zygote_->kill(std::move(refusal));
    refusal_ = error{"start zygote", options_.executable, {}, std::move(refusal)};
    phase_ = phase::refused;
    return fail_all(*refusal_);
  }
  phase_ = phase::up;
  was_up_ = true;
  failed_starts_ = 0;
  log_.debug("zygote {} is up", zygote_->pid());
  answer_starters({});
  send_orders();
  order_spares();
}

void zygote_spawner::on_ended(const std::string& how) {
  settle();
  const pid_t pid = zygote_->pid();
  zygote_.reset();
  if (phase_ == phase::starting)
    return start_failed(
        {"start zygote", options_.executable, {}, "it ended before its hello: " + how});
  if (phase_ != phase::up) return;
  if (winding_down_ && queue_.empty()) {
    phase_ = phase::idle; // a request that comes all the same starts another one
    return;
  }
  log_.warn("zygote {} has ended: {}; another one starts", pid, how);
  ++deaths_in_row_;
  begin_after(next_rest());
}

std::chrono::milliseconds zygote_spawner::next_rest() const {
  if (deaths_in_row_ <= 1) return std::chrono::milliseconds::zero();
  std::chrono::milliseconds rest = limits::zygote_rest_first;
  for (unsigned n = 2; n < deaths_in_row_ && rest < limits::zygote_rest_max; ++n) rest *= 2;
  return std::min<std::chrono::milliseconds>(rest, limits::zygote_rest_max);
}

void zygote_spawner::end_zygote() {
  if (!zygote_) return;
  zygote_->end_now();
  settle();
  zygote_.reset();
}

// ---- orders and answers

void zygote_spawner::send_orders() {
  while (in_flight_ < std::min(queue_.size(), limits::spawns_in_flight)) {
    const auto& next = queue_[in_flight_];
    if (!(next.letter ? zygote_->order_spare(next.id, next.letter)
                      : zygote_->order(next.id, next.request))) {
      // Either the zygote ends, and on_ended comes; or we are out of descriptors: then with an
      // answer on its way there will be some, and without one this request must be answered.
      if (in_flight_ == 0) zygote_->kill("an order could not be sent");
      return;
    }
    if (++in_flight_ == 1) watch_answers();
  }
}

/// A zygote that is stopped, or hangs, is as good as dead, but nothing else would say so.
void zygote_spawner::watch_answers() {
  if (in_flight_ == 0) {
    answer_.cancel();
    return;
  }
  answer_.expires_after(limits::zygote_answer);
  answer_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    auto self = alive.lock();
    if (self && !stopped && (*self)->zygote_ && (*self)->in_flight_ > 0)
      (*self)->zygote_->kill("it does not answer");
  });
}

void zygote_spawner::on_answer(std::uint64_t request, result<os::child_process> answer) {
  if (in_flight_ == 0 || queue_.front().id != request)
    return zygote_->kill("an answer that nobody waits for"); // and its process with it
  if (answer)
    deaths_in_row_ = 0;
  else
    answer.error().object = queue_.front().request.name;
  answer_first(std::move(answer));
  watch_answers();
  if (phase_ == phase::up) send_orders();
}

/// The zygote is dead, and its answers are read. At most one more process can exist: that of the
/// request it was at, which is the first of those without an answer.
void zygote_spawner::settle() {
  if (in_flight_ == 0) return;
  const birth last = zygote_->last_birth();
  if (auto& first = queue_.front(); last.request == first.id) {
    if (last.worker != 0) {
      answer_first(os::adopt_or_end(last.worker));
    } else if (++first.deaths == limits::spawn_attempts) {
      answer_first(failure_because("spawn", first.request.name, "the zygote dies each time"));
    }
  }
  in_flight_ = 0;
  watch_answers();
}

void zygote_spawner::answer_first(result<os::child_process> answer) {
  on_spawned done = std::move(queue_.front().done);
  queue_.pop_front();
  --in_flight_;
  post_answer(std::move(done), std::move(answer));
}

void zygote_spawner::fail_all(const error& why) {
  answer_starters(tl::make_unexpected(why));
  in_flight_ = 0;
  for (auto& each : std::exchange(queue_, {})) {
    error own = why;
    if (own.object.empty()) own.object = each.request.name;
    post_answer(std::move(each.done), tl::make_unexpected(std::move(own)));
  }
}

void zygote_spawner::answer_starters(const result<void>& how) {
  for (auto& done : std::exchange(starters_, {})) {
    asio::post(loop_, [alive = std::weak_ptr{alive_}, done = std::move(done), how] {
      if (!alive.expired()) done(how);
    });
  }
}

// ---- spares

void zygote_spawner::keep_spares(unsigned count) {
  spares_wanted_ = std::min<unsigned>(count, limits::spares);
  if (spares_.size() > spares_wanted_) spares_.resize(spares_wanted_);
  if (spares_wanted_ == 0)
    spare_rest_.cancel();
  else
    order_spares();
}

void zygote_spawner::wind_down() {
  winding_down_ = true;
  keep_spares(0);
}

std::vector<pid_t> zygote_spawner::spare_pids() const {
  std::vector<pid_t> pids;
  for (const auto& each : spares_) pids.push_back(each->pid());
  return pids;
}

std::optional<os::child_process> zygote_spawner::take_spare(const spawn_request& request) {
  if (spares_.empty()) return std::nullopt;
  std::optional<os::child_process> process;
  for (auto each = spares_.begin(); !process && each != spares_.end();) {
    process = (*each)->become(request);
    each = process || !(*each)->lives() ? spares_.erase(each) : std::next(each);
  }
  // The worker that has just begun has the processors first.
  order_spares_after(process ? std::chrono::milliseconds{limits::spare_rest}
                             : std::chrono::milliseconds{limits::spare_rest_after_failure});
  return process;
}

void zygote_spawner::order_spares_after(std::chrono::milliseconds rest) {
  spare_rest_.expires_after(rest);
  spare_rest_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    if (auto self = alive.lock(); self && !stopped) (*self)->order_spares();
  });
}

void zygote_spawner::order_spares() {
  if (phase_ != phase::up) return; // the next hello asks again
  while (spares_.size() + spares_ordered_ < spares_wanted_)
    if (!order_spare()) return order_spares_after(limits::spare_rest_after_failure);
}

bool zygote_spawner::order_spare() {
  auto channel = os::seqpacket_pair();
  if (!channel) {
    log_.debug("{}; no spare for now", channel.error().message());
    return false;
  }
  ++spares_ordered_;
  pending order{next_id_++, {}, {}, std::move(channel->theirs)};
  order.request.name = "spare";
  order.done = [this, letter = std::make_shared<os::unique_fd>(std::move(channel->ours))](
                   result<os::child_process> answer) {
    --spares_ordered_;
    if (!answer) {
      log_.debug("{}", answer.error().message());
      if (spares_wanted_ > 0) order_spares_after(limits::spare_rest_after_failure);
      return;
    }
    if (spares_.size() >= spares_wanted_) return; // and with `answer` it ends
    spares_.push_back(std::make_unique<spare_worker>(
        loop_, *std::move(answer), std::move(*letter), [this](spare_worker& ended) {
          if (std::has_single_bit(++spare_deaths_)) // the 1st, 2nd, 4th, ...
            log_.warn("spare {} has ended before it was wanted ({} so far)", ended.pid(),
                      spare_deaths_);
          std::erase_if(spares_, [&](const auto& each) { return each.get() == &ended; });
          order_spares_after(limits::spare_rest_after_failure);
        }));
  };
  queue_.push_back(std::move(order));
  send_orders();
  return true;
}

// Callbacks run from the loop with nothing of ours on the stack: they may call anything here, or
// destroy it.
void zygote_spawner::post_answer(on_spawned done, result<os::child_process> answer) {
  if (!alive_) return;
  asio::post(loop_, [alive = std::weak_ptr{alive_}, done = std::move(done),
                     answer = std::move(answer)]() mutable {
    if (!alive.expired()) done(std::move(answer));
  });
}

} // namespace coppice
