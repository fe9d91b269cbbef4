"""What a crawl of some size needs, from measured costs: pure but for reading a file."""

from quarry.simulate.answer import answer
from quarry.simulate.costs import Costs, default_costs, read_costs
from quarry.simulate.model import Workload
from quarry.simulate.prices import Prices, parse_prices

__all__ = ["Costs", "Prices", "Workload", "answer", "default_costs", "parse_prices", "read_costs"]
