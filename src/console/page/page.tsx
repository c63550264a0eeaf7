/** The console's page. */
import { render } from 'preact'

render(<main>shop</main>, document.body)
