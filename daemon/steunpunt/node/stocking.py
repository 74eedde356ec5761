"""The thread that keeps stretched ticket secrets ready."""

import threading

from steunpunt.engine.accepting import TicketStock

STOCK_AFTER_S = 5.0
"""The stock of tickets is filled this long after the start: first radio, broker and screens. Until then the loop
stretches each secret itself."""


class Stocker(threading.Thread):
    """Stretches ticket secrets ahead of time, one after the other, only when some were used."""

    def __init__(self, stock: TicketStock, stopping: threading.Event) -> None:
        super().__init__(name="stock", daemon=True)
        self._stock = stock
        self._stopping = stopping

    def run(self) -> None:
        """Fill the stock, then sleep until something was taken."""
        self._stopping.wait(STOCK_AFTER_S)
        while not self._stopping.is_set():
            if self._stock.full():
                self._stock.wait_taken()
            else:
                self._stock.refill()
