/** A module with state, as no module should have. */
module.exports = { lives: 0 }
