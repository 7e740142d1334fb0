#pragma once
// How many connections a pool has, whoever holds them at the moment, and how many it may have. Each
// has a seat that goes with it and is free again when the connection is over. Pure; loop thread
// only.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace coppice {

class connection_seat;

class connection_seats : public std::enable_shared_from_this<connection_seats> {
public:
  explicit connection_seats(std::size_t most) : most_{most} {}

  [[nodiscard]] std::size_t left() const noexcept { return most_ - std::min(most_, taken_); }
  [[nodiscard]] std::size_t taken() const noexcept { return taken_; }
  /// Whoever takes one looks before whether there is one left; one more is not refused here.
  [[nodiscard]] connection_seat take();

  /// Called each time a seat is free when none was. It is called from wherever a connection ends:
  /// it may only enqueue. nullptr: nobody is told.
  void tell(std::function<void()> free) { free_ = std::move(free); }

private:
  friend class connection_seat;
  void give_back() {
    if (taken_-- == most_ && free_) free_();
  }

  std::size_t most_;
  std::size_t taken_ = 0;
  std::function<void()> free_;
};

/// One seat, or none. Move-only.
class connection_seat {
public:
  connection_seat() noexcept = default;
  connection_seat(connection_seat&& other) noexcept : of_{std::exchange(other.of_, nullptr)} {}
  connection_seat& operator=(connection_seat&& other) noexcept {
    connection_seat old{std::move(*this)};
    of_ = std::exchange(other.of_, nullptr);
    return *this;
  }
  ~connection_seat() {
    if (of_) of_->give_back();
  }

private:
  friend class connection_seats;
  explicit connection_seat(std::shared_ptr<connection_seats> of) noexcept : of_{std::move(of)} {}

  std::shared_ptr<connection_seats> of_;
};

inline connection_seat connection_seats::take() {
  ++taken_;
  return connection_seat{shared_from_this()};
}

} // namespace coppice
