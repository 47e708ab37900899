import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { session } from './api/client'
import { Problem } from './api/problem'
import { I18nProvider } from './i18n'
import { router } from './router'
import { Gate } from './shell/Gate'
import { Toasts } from './ui/Toasts'
import './styles.css'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // What a service has refused it refuses again; what did not reach it may reach it now.
      retry: (count, error) => count < 2 && !(error instanceof Problem && error.status < 500),
    },
  },
})
session.ended = () => void client.invalidateQueries({ queryKey: ['session'] })

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <I18nProvider>
      <QueryClientProvider client={client}>
        <Toasts>
          <Gate>
            <RouterProvider router={router} />
          </Gate>
        </Toasts>
      </QueryClientProvider>
    </I18nProvider>
  </StrictMode>,
)
